import Base
import Glibc
import JFR

/// The chunk files of a JVM's Flight Recorder, read as they are finished.
///
/// Files are held open from when they are seen, so that what the JVM removes meanwhile, and what a JVM that dies leaves, can
/// still be read.
package struct ChunkRepository: ~Copyable {
  private final class Held {
    let name: String
    let file: OwnedDescriptor
    init(name: String, file: consuming OwnedDescriptor) {
      self.name = name
      self.file = file
    }
  }

  private let files: TargetFiles
  private let path: String
  private var held: [Held] = []
  private var known: Set<String> = []
  /// Chunks that were too large to be taken.
  package private(set) var tooLarge = 0

  /// The JVM begins a new chunk at 12 MiB (`maxchunksize`), so this is more than it ever writes by itself.
  private static let chunkLimit = 1 << 30
  private static let openLimit = 256

  package init(_ files: TargetFiles, path: String) {
    self.files = files
    self.path = path
  }

  /// Opens what is new. Files there before a recording began are others': `skip` them.
  package mutating func look(skipping: Bool = false) {
    guard let directory = try? files.directory(path) else { return }
    for name in directory.names() where name.hasSuffix(".jfr") && !known.contains(name) {
      guard held.count < Self.openLimit else { return }
      known.insert(name)
      if skipping { continue }
      if let file = try? files.open("\(path)/\(name)") { held.append(Held(name: name, file: file)) }
    }
  }

  /// The chunks that are finished and were not given before, oldest first.
  package mutating func finished() -> [[UInt8]] {
    var chunks: [[UInt8]] = []
    var waiting: [Held] = []
    for one in held {
      guard let header = Self.header(one.file), header.isFinished else {
        waiting.append(one)
        continue
      }
      if let bytes = take(one.file, header) { chunks.append(bytes) }
    }
    held = waiting
    return chunks
  }

  /// What there is of unfinished ones: the JVM is gone.
  package mutating func rest() -> [[UInt8]] {
    var chunks = finished()
    for one in held {
      // Its header was being rewritten when the JVM died: what was flushed before is there all the same.
      guard let header = Self.header(one.file), header.byteCount > Int64(ChunkHeader.byteCount) else { continue }
      if let bytes = take(one.file, header) { chunks.append(bytes) }
    }
    held = []
    return chunks
  }

  package var isEmpty: Bool { held.isEmpty }

  private static func header(_ file: borrowing OwnedDescriptor) -> ChunkHeader? {
    guard let bytes = try? file.read(at: 0, count: ChunkHeader.byteCount, path: "chunk") else { return nil }
    return try? ChunkHeader(bytes.borrowedBytes)
  }

  private mutating func take(_ file: borrowing OwnedDescriptor, _ header: ChunkHeader) -> [UInt8]? {
    guard let count = Int(exactly: header.byteCount), count <= Self.chunkLimit else {
      tooLarge += 1
      return nil
    }
    guard let size = try? file.status(path: "chunk").st_size else { return nil }
    return try? file.read(at: 0, count: min(count, Int(size)), path: "chunk")
  }
}
