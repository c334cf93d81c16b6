import Base
import Interpreters
import TraceFormat

/// What stands for code locations that have no name.
enum FrameNamer {
  /// What stands for an address without a name: `libfoo.so+0x1a2b`, `[unknown]+0x…`, `vmlinux+0x…`, `[jit:EXE]+0x…`.
  static func placeholder(
    _ location: CodeLocation, process: @autoclosure () -> ProcessRecord?, _ contents: TraceContents
  ) -> String {
    let parts = placeholderParts(location, process: process(), contents)
    return parts.place + "+0x" + String(parts.offset, radix: 16)
  }

  /// The two halves of a placeholder, for whoever makes many of them.
  static func placeholderParts(
    _ location: CodeLocation, process: @autoclosure () -> ProcessRecord?, _ contents: TraceContents
  ) -> (place: String, offset: UInt64) {
    if location.image == CodeLocation.unmapped { return ("[unknown]", location.address) }
    if location.image == ImageHandle.kernel.rawValue {
      for module in contents.kernelModules where module.address <= location.address {
        let distance = location.address - module.address
        if distance < module.byteCount { return (module.name == "vmlinux" ? module.name : "[\(module.name)]", distance) }
      }
      return ("vmlinux", location.address)
    }
    if let interpreter = location.interpreter { return (interpreter.imageName, location.address) }
    guard let image = contents.images[location.image] else { return ("[unknown]", location.address) }
    if image.kind == .anonymous {
      let program = process().map { baseName($0.executable.isEmpty ? $0.comm : $0.executable) } ?? ""
      return ("[jit:\(program)]", location.address)
    }
    return (baseName(image.path), location.address)
  }

  static func baseName(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    let name = path[path.utf8.index(after: slash)...]
    // `/a/b/` is called `b`.
    return name.isEmpty ? path.split(separator: "/").last.map(String.init) ?? path : String(name)
  }
}
