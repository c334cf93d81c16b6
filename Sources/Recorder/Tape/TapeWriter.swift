import Base
import Glibc

/// Writes a tape while a recording goes on. A tape that cannot be written stops being written; the recording goes on.
final class TapeWriter {
  private let path: String
  private let file: OwnedDescriptor
  private var hasFailed = false

  init(path: String) throws(SystemCallError) {
    self.path = path
    file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT | O_TRUNC)
  }

  func write(_ entry: TapeEntry) {
    guard !hasFailed else { return }
    var out = ByteWriter()
    entry.encode(into: &out)
    do throws(SystemCallError) { try file.write(out.bytes.borrowedBytes, path: path) } catch { hasFailed = true }
  }
}
