import Base
import DebugInfo
import ObjectFile
import TestSupport

/// The programs of `fixtures/dwarf`, and what is known of every address of theirs, as text.
enum DwarfFixture {
  static func bytes(_ name: String) throws -> [UInt8] { try Fixture.bytes(Fixture.path("dwarf/" + name)) }

  static func file(_ name: String, package: String? = nil, alternate: String? = nil) throws -> DebugFile {
    let packageBytes = try package.map { OwnedBytes(try bytes($0)) }
    let other = try alternate.map { try DebugFile(OwnedBytes(try bytes($0))) }
    return try DebugFile(OwnedBytes(try bytes(name)), alternate: other, package: packageBytes) { request in
      (try? bytes(name + "-" + request.name)).map { OwnedBytes($0) }
    }
  }

  /// Every address of the program's code.
  static func addresses(_ name: String) throws -> [UInt64] {
    let bytes = try bytes(name)
    let file = try ElfFile(bytes.borrowedBytes)
    return file.sections.filter { $0.isExecutable && $0.isAllocated }.flatMap { section in
      Array(section.address.rawValue..<(section.address.rawValue + section.byteCount))
    }
  }

  /// A line for each run of addresses with the same frames: the innermost first, as FUNCTION@START FILE:LINE:COLUMN.
  static func text(_ frames: DebugFrames, _ addresses: [UInt64]) -> String {
    var text = ""
    var index = 0
    while index < addresses.count {
      let first = frames.frames(at: index)
      var end = index + 1
      while end < addresses.count, addresses[end] == addresses[end - 1] + 1, frames.frames(at: end) == first { end += 1 }
      text += "0x\(String(addresses[index], radix: 16)) \(end - index) bytes\n"
      for frame in first {
        text += "  \(frame.function ?? "?")@\(frame.startLine ?? 0) \(frame.file ?? "?"):\(frame.line ?? 0):\(frame.column ?? 0)"
        text += frame.isInlined ? " inlined\n" : "\n"
      }
      index = end
    }
    return text
  }
}
