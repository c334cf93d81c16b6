import Foundation
import PackagePlugin

/// Compiles `bpf/*.bpf.c` with the clang beside the running `swift` and embeds the object in one Swift file.
///
/// One command does both and declares only the Swift file: any other declared output would be taken for a resource.
@main struct CompileBPF: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    // Where Swift itself comes with a clang that knows no BPF (Debian's), or builds for another machine, of which a plugin is
    // not told: scripts/try-arm64.
    let environment = ProcessInfo.processInfo.environment
    let clang = try environment["PYROREC_BPF_CLANG"].map { URL(filePath: $0) } ?? context.tool(named: "clang").url
    let root = context.package.directoryURL.appending(path: "bpf")
    let source = root.appending(path: "sampler.bpf.c")
    let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedBPF.swift")
    var inputs: [URL] = []
    if let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) {
      for case let file as URL in files where ["c", "h"].contains(file.pathExtension) { inputs.append(file) }
    }
    inputs.sort { $0.path < $1.path }
    #if arch(arm64)
      let own = "arm64"
    #else
      let own = "x86"
    #endif
    let machine = environment["PYROREC_BPF_MACHINE"] ?? own
    // The kernel's headers that both name alike are the same for both.
    #if arch(arm64)
      let headers = "/usr/include/aarch64-linux-gnu"
    #else
      let headers = "/usr/include/x86_64-linux-gnu"
    #endif
    return [
      .buildCommand(
        displayName: "Compiling sampler.bpf.c for the kernel",
        executable: try context.tool(named: "EmbedBPF").url,
        arguments: [
          output.path, clang.path, "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror",
          "-I", root.appending(path: "abi/include").path, "-I", root.appending(path: "include").path, "-I", root.path,
          "-D__TARGET_ARCH_\(machine)", "-I", headers, "-c", source.path,
        ],
        inputFiles: inputs, outputFiles: [output])
    ]
  }
}
