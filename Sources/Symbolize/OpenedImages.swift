import Base
import DebugInfo
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Symbol tables and debug files that were read, for whoever looks up names in the same files again and again.
///
/// What is kept is of no other use than time: files are located anew in every call, and what was read of a file counts only for
/// the very file it was read of. What was used longest ago goes first.
package final class OpenedImages: Sendable {
  /// Of all that is kept: arrays, and sections that were inflated. The files' own pages are the kernel's, which takes them back.
  package static let maximumByteCount = 96 << 20
  /// Of one debug file, inflated; larger ones are read as they are inflated, each time.
  static let maximumFileByteCount = 48 << 20
  /// Each keeps at most two mappings.
  private static let maximumCount = 2048

  enum Key: Hashable {
    case symbols(image: FileStamp?, debugFile: FileStamp?)
    case lines(FileStamp)
  }
  enum Content: Sendable {
    case symbols(SymbolTable)
    case lines(OpenedDebugFile)
  }
  private struct Entry: Sendable {
    var content: Content
    /// What `content` refers to.
    var files: [ImageBytes]
    var byteCount: Int
    var lastUse: UInt64
  }
  private struct State: Sendable {
    var entries: [Key: Entry] = [:]
    var byteCount = 0
    var uses: UInt64 = 0

    mutating func remove(_ key: Key) -> Entry? {
      let entry = entries.removeValue(forKey: key)
      byteCount -= entry?.byteCount ?? 0
      return entry
    }
  }
  private let state = Mutex(State())
  private let limit: Int

  package init(maximumByteCount: Int = maximumByteCount) { limit = maximumByteCount }

  /// Bytes that are kept, and of how many tables and files.
  package var size: (byteCount: Int, count: Int) { state.withLock { ($0.byteCount, $0.entries.count) } }

  /// Takes out what is kept under `key`: nobody else has it meanwhile.
  func take(_ key: Key) -> Content? {
    guard let entry = state.withLock({ $0.remove(key) }), !entry.files.contains(where: \.isDamaged) else { return nil }
    return entry.content
  }

  /// Keeps what was taken out or read anew.
  /// - Parameter files: what it refers to; from one that was cut short meanwhile nothing is kept.
  func keep(_ content: Content, as key: Key, files: [ImageBytes]) {
    let byteCount = content.byteCount + files.reduce(0) { $0 + ($1.identity == nil ? $1.byteCount : 0) }
    guard byteCount <= limit, !files.contains(where: \.isDamaged) else { return }
    // What goes ends after the lock is left.
    _ = state.withLock { state -> [Entry?] in
      var gone = [state.remove(key)]
      state.uses += 1
      state.entries[key] = Entry(content: content, files: files, byteCount: byteCount, lastUse: state.uses)
      state.byteCount += byteCount
      guard state.byteCount > limit || state.entries.count > Self.maximumCount else { return gone }
      for oldest in state.entries.map({ ($0.value.lastUse, $0.key) }).sorted(by: { $0.0 < $1.0 }) {
        guard state.byteCount > limit || state.entries.count > Self.maximumCount else { break }
        gone.append(state.remove(oldest.1))
      }
      return gone
    }
  }

  /// To be called when nothing is asked for a while: gives the files' pages back, and lets go what was read of files that are
  /// not at their places any more, as a mapping would keep their room on the disk.
  package func settle() {
    let all = state.withLock { state in state.entries.map { ($0.key, $0.value.files) } }
    for file in all.flatMap(\.1) { file.releasePages() }
    let gone = all.filter { !$0.1.allSatisfy(\.isAtItsPlace) }
    guard !gone.isEmpty else { return }
    _ = state.withLock { state in gone.map { state.remove($0.0) } }
  }
}

extension OpenedImages.Content {
  fileprivate var byteCount: Int {
    switch self {
    case .symbols(let table): table.byteCount
    case .lines(let opened): opened.file.keptByteCount
    }
  }
}

extension OpenedImages.Key {
  /// `nil` for bytes that cannot be told from others.
  init?(_ located: ImageLocator.Located) {
    if located.image == nil, located.debugFile == nil { return nil }
    if let image = located.image, image.identity == nil { return nil }
    if let file = located.debugFile, file.identity == nil { return nil }
    self = .symbols(image: located.image?.identity, debugFile: located.debugFile?.identity)
  }
}

extension ImageBytes {
  /// Whether the file is still where it was opened; true of bytes in memory.
  fileprivate var isAtItsPlace: Bool {
    guard let path, let identity else { return true }
    var status = stat()
    return unsafe stat(path, &status) == 0 && UInt64(status.st_dev) == identity.device && UInt64(status.st_ino) == identity.inode
  }
}

/// A debug file that may be asked again in later calls.
final class OpenedDebugFile: Sendable {
  let file: DebugFile
  /// What `file` reads.
  let bytes: ImageBytes
  private let splits: SplitFiles

  /// - Throws: as `DebugFile` does.
  init(_ bytes: ImageBytes, workers: Int) throws(MalformedInput) {
    let splits = SplitFiles()
    self.splits = splits
    self.bytes = bytes
    file = try DebugFile(bytes, workers: workers, streamsFrom: .max) { splits.open($0) }
  }

  /// Asks the file; by `open` for split units.
  /// - Returns: what `body` does, and whether other files were asked for, which may be others the next time.
  func ask<Result>(
    openingSplits open: @escaping @Sendable (SplitRequest) -> (any SharedBytes)?, _ body: (DebugFile) -> Result
  ) -> (Result, askedOthers: Bool) {
    splits.begin(open)
    let result = body(file)
    return (result, splits.end())
  }
}

/// Who opens split files for the call at hand: what a call knows of a trace must not be kept with the file.
private final class SplitFiles: Sendable {
  private struct State: Sendable {
    var open: (@Sendable (SplitRequest) -> (any SharedBytes)?)?
    var wasAsked = false
  }
  private let state = Mutex(State())

  func begin(_ open: @escaping @Sendable (SplitRequest) -> (any SharedBytes)?) { state.withLock { $0.open = open } }

  func end() -> Bool {
    state.withLock { state in
      state.open = nil
      return state.wasAsked
    }
  }

  func open(_ request: SplitRequest) -> (any SharedBytes)? {
    let open = state.withLock { state in
      state.wasAsked = true
      return state.open
    }
    return open?(request)
  }
}
