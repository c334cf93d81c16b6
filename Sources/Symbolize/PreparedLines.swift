package import Base
import DebugInfo
import ObjectFile

/// Answers of debug files that are kept from one run to the next, so that the second does not read them again.
///
/// What is kept is of no other use than time: with it, without it, and when it is damaged, the same comes out.
package protocol PreparedLineStore: Sendable {
  /// `nil` when there is nothing under that name.
  func open(_ name: String) -> ImageBytes?
  /// May fail, which costs the next run its time.
  func keep(_ bytes: [UInt8], as name: String)
}

/// Where prepared lines are kept, and of which files.
package struct PreparedLines: Sendable {
  package var store: any PreparedLineStore
  /// Smaller files (their `.debug_info` as it stands in the file) are read again: that is quick enough.
  package var fromByteCount: UInt64

  package init(_ store: any PreparedLineStore, fromByteCount: UInt64 = 1 << 20) {
    self.store = store
    self.fromByteCount = fromByteCount
  }

  /// Under what the lines of a debug file are kept; `nil` when they are not.
  ///
  /// A build ID alone does not do: anybody may write one into a file. Bytes that are no file of this machine have nothing else.
  func name(of bytes: ImageBytes) -> String? {
    guard let stamp = bytes.stamp, let file = try? ElfFile(bytes.bytes),
      let section = file.section(named: ".debug_info") ?? file.section(named: ".zdebug_info"),
      section.section.byteCount >= fromByteCount
    else { return nil }
    let numbers = [
      UInt64(bytes.byteCount), stamp.device, stamp.inode, UInt64(bitPattern: stamp.modified), UInt64(bitPattern: stamp.changed),
    ]
    // A build ID may be of any length; a name may not.
    return "\(file.buildID?.hex.prefix(64) ?? "none")-" + numbers.map { String($0, radix: 16) }.joined(separator: "-")
  }
}

/// Prepared lines in a directory of this machine.
package struct PreparedLineDirectory: PreparedLineStore {
  /// Of all files together.
  package static let maximumByteCount: UInt64 = 512 << 20
  private let directory: CacheDirectory

  /// Creates the directory where it is missing; its parent must be there.
  /// - Throws: `SystemCallError` when there is no such directory, or one that others can write to.
  package init(path: String, maximumByteCount: UInt64 = maximumByteCount) throws(SystemCallError) {
    directory = try CacheDirectory(
      path: path, suffix: ".lines", maximumByteCount: maximumByteCount, maximumFileByteCount: PreparedBatch.maximumByteCount)
  }

  package func open(_ name: String) -> ImageBytes? {
    guard let opened = directory.open(name), let file = try? MappedFile(opened.file, path: opened.path) else { return nil }
    directory.touch(opened.file)
    return ImageBytes(file)
  }

  package func keep(_ bytes: [UInt8], as name: String) {
    // A full disk, or a directory that went away: the next run reads the debug file again.
    try? directory.keep(bytes.borrowedBytes, as: name)
  }
}
