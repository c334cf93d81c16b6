import Base
import CAttach
import Glibc
import JFR

/// The file an agent records into, taken chunk by chunk. What was taken is given back to the file system while the agent goes
/// on writing behind it: the file gets longer, and takes no more room than a chunk or two.
final class RecordingFile {
  private let file: OwnedDescriptor
  /// The same file to write into; `nil` where that may not be.
  private let writable: Writable?
  private final class Writable {
    let file: OwnedDescriptor
    init(_ file: consuming OwnedDescriptor) { self.file = file }
  }
  private let path: String
  private var taken: UInt64 = 0
  private var freed: UInt64 = 0
  private var problem: String?
  private var hasProblem = false

  private static let chunkLimit: Int64 = 1 << 30
  private static let page: UInt64 = 4096

  init(_ files: TargetFiles, path: String) throws(SystemCallError) {
    file = try files.open(path)
    self.path = path
    let (own, writable) = (try file.status(path: path), try? Writable(files.openToWrite(path)))
    let other = try? writable?.file.status(path: path)
    self.writable = other?.st_ino == own.st_ino && other?.st_dev == own.st_dev ? writable : nil
  }

  /// The chunks finished since the last call, oldest first.
  func finished() -> [[UInt8]] {
    var chunks: [[UInt8]] = []
    while let chunk = next(unfinished: false) { chunks.append(chunk) }
    free()
    return chunks
  }

  /// Those, and what there is of the last one.
  func rest() -> [[UInt8]] {
    var chunks = finished()
    if let last = next(unfinished: true) { chunks.append(last) }
    return chunks
  }

  /// Why it grows, once.
  func takeProblem() -> String? {
    defer { problem = nil }
    return problem
  }

  /// - Parameter unfinished: takes the last one as it is.
  private func next(unfinished: Bool) -> [UInt8]? {
    guard let size = (try? file.status(path: path)).map({ UInt64(clamping: $0.st_size) }), size > taken else { return nil }
    guard let start = read(count: ChunkHeader.byteCount), let header = try? ChunkHeader(start.borrowedBytes),
      header.byteCount >= Int64(ChunkHeader.byteCount)
    else { return nil }
    let rest = Int64(clamping: size - taken)
    // An open one says that it is 1 GiB long.
    guard header.byteCount <= rest || unfinished else { return nil }
    let count = min(header.byteCount, rest)
    guard count <= Self.chunkLimit, let bytes = read(count: Int(count)) else { return nil }
    taken += UInt64(count)
    return bytes
  }

  private func read(count: Int) -> [UInt8]? {
    guard let bytes = try? file.read(at: taken, count: count, path: path), bytes.count == count else { return nil }
    return bytes
  }

  private func free() {
    let end = taken / Self.page * Self.page
    guard end > freed, !hasProblem else { return }
    var code: Int32 = writable == nil ? EACCES : 0
    if let writable, pyrorec_free_range(writable.file.rawValue, freed, end - freed) != 0 { code = errno }
    if code == 0 {
      freed = end
    } else {
      hasProblem = true
      let error = SystemCallError(call: "fallocate", path: path, code: code)
      problem = "what was read of its recording stays on its disk until the end: \(error)"
    }
  }
}
