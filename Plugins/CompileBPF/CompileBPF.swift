import Foundation
import PackagePlugin

/// Compiles `bpf/*.bpf.c` with the clang beside the running `swift` and embeds the object in one Swift file.
///
/// One command does both and declares only the Swift file: any other declared output would be taken for a resource.
@main struct CompileBPF: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let clang = try context.tool(named: "clang")
    let root = context.package.directoryURL.appending(path: "bpf")
    let source = root.appending(path: "sampler.bpf.c")
    let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedBPF.swift")
    var inputs: [URL] = []
    if let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) {
      for case let file as URL in files where ["c", "h"].contains(file.pathExtension) { inputs.append(file) }
    }
    inputs.sort { $0.path < $1.path }
    #if arch(arm64)
      let machine = ["-D__TARGET_ARCH_arm64", "-I/usr/include/aarch64-linux-gnu"]
    #else
      let machine = ["-D__TARGET_ARCH_x86", "-I/usr/include/x86_64-linux-gnu"]
    #endif
    return [
      .buildCommand(
        displayName: "Compiling sampler.bpf.c for the kernel",
        executable: try context.tool(named: "EmbedBPF").url,
        arguments: [
          output.path, clang.url.path, "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror",
          "-I", root.appending(path: "abi/include").path, "-I", root.appending(path: "include").path, "-I", root.path,
        ] + machine + ["-c", source.path],
        inputFiles: inputs, outputFiles: [output])
    ]
  }
}
