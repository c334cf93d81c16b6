package import Base

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// What was sent of one trace, remembered beside it in `TRACE.upload`, so that a second upload sends only the rest.
///
/// Text, one line a profile, only ever appended to:
///
///     sent 16-HEX-DIGITS DESTINATION SERIES
///
/// The digits are a hash of destination, series labels, content and original time; what follows is for people. A line
/// counts once it is whole, that is, ends in a line feed: a cut off last line is as if it were not there. Anything
/// else is passed over. Deleting the file makes the next upload send everything.
package final class UploadJournal {
  package static let suffix = ".upload"
  /// Bytes read of a journal: some 100,000 profiles.
  package static let maximumBytes = 1 << 24

  private let path: String
  /// Open and locked for as long as this lives; -1 when it could not be opened for writing.
  private let file: Int32
  private var sent: Set<UInt64>
  private var endsInLine: Bool
  /// Why nothing will be remembered: a directory that cannot be written, say. What was remembered still counts.
  package private(set) var problem: SystemCallError?

  /// Opens the journal of the trace at `source`.
  /// - Throws: `UploadError.busy` when another process has it open, `.file` when it cannot be read.
  package init(besides source: String) throws(UploadError) {
    let path = source + Self.suffix
    let file = retryingOnInterrupt { unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
    if file >= 0, flock(file, LOCK_EX | LOCK_NB) != 0 {
      close(file)
      throw .busy(path: path)
    }
    self.path = path
    self.file = file
    problem = file >= 0 ? nil : SystemCallError(call: "open", path: path, code: errno)
    sent = []
    endsInLine = true
    guard unsafe access(path, F_OK) == 0 else { return }
    let bytes: [UInt8]
    do { bytes = try contents(of: path, limit: Self.maximumBytes) } catch { throw .file(error) }
    sent = Self.keys(bytes)
    endsInLine = bytes.isEmpty || bytes.last == UInt8(ascii: "\n")
  }

  /// An empty journal says nothing: it goes away.
  deinit {
    guard file >= 0 else { return }
    var status = stat()
    if unsafe fstat(file, &status) == 0, status.st_size == 0 { _ = unsafe unlink(path) }
    close(file)
  }

  /// The keys of all whole lines.
  static func keys(_ bytes: [UInt8]) -> Set<UInt64> {
    var keys: Set<UInt64> = []
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return keys }
    for line in bytes[..<end].split(separator: UInt8(ascii: "\n")) {
      guard line.starts(with: "sent ".utf8) else { continue }
      let digits = line.dropFirst(5).prefix { $0 != UInt8(ascii: " ") }
      guard digits.count == 16, let key = UInt64(String(decoding: digits, as: UTF8.self), radix: 16) else { continue }
      keys.insert(key)
    }
    return keys
  }

  private static func key(_ upload: PreparedUpload, _ destination: String) -> UInt64 {
    var key = ContentKey(upload.contentKey)
    key.combine(destination)
    return key.value
  }

  package func contains(_ upload: PreparedUpload, destination: String) -> Bool {
    sent.contains(Self.key(upload, destination))
  }

  /// Notes that `upload` was taken. A failure to write is kept in `problem`.
  package func record(_ upload: PreparedUpload, destination: String) {
    let key = Self.key(upload, destination)
    sent.insert(key)
    guard problem == nil else { return }
    var line = "sent \(hexadecimal(key)) \(destination.onOneLine) \(upload.title.onOneLine)\n"
    if !endsInLine { line = "\n" + line }
    // Safe: the pointer is used only inside the closure.
    let written = unsafe Array(line.utf8).withUnsafeBytes { bytes in
      retryingOnInterrupt { unsafe write(file, bytes.baseAddress, bytes.count) }
    }
    // What was written of a line does not count; the next one starts on a line of its own.
    endsInLine = written == line.utf8.count
    if !endsInLine { problem = SystemCallError(call: "write", path: path, code: written < 0 ? errno : ENOSPC) }
  }
}
