package import Base
package import Unwind

/// Unwind tables kept on disk, so that a second recording starts with them.
///
/// One that is damaged, of another version or another file is as good as missing.
package struct TableCacheDirectory: Sendable {
  /// Of all files together.
  package static let maximumByteCount: UInt64 = 256 << 20
  /// A table of more rows than a 64 MiB budget holds is not worth its file.
  static let maximumFileByteCount = 96 << 20

  private let directory: CacheDirectory

  /// Creates the directory where it is missing; its parent must be there.
  /// - Throws: `SystemCallError` when there is no such directory, or one that others can write to: tables of others would put
  ///   frames of theirs into our stacks.
  package init(path: String, maximumByteCount: UInt64 = maximumByteCount) throws(SystemCallError) {
    directory = try CacheDirectory(
      path: path, suffix: ".rows", maximumByteCount: maximumByteCount, maximumFileByteCount: Self.maximumFileByteCount)
  }

  /// The table kept under `key`; `nil` when there is none that can be believed.
  package func table(of key: UnwindTableKey) -> UnwindTable? {
    guard let opened = directory.open(key.name),
      let bytes = try? opened.file.read(at: 0, count: opened.byteCount, path: opened.path),
      let table = UnwindTableCache.decode(bytes.borrowedBytes, key)
    else { return nil }
    directory.touch(opened.file)
    return table
  }

  /// Keeps `table`, and removes what is too much.
  package func keep(_ table: UnwindTable, of key: UnwindTableKey) throws(SystemCallError) {
    let bytes = UnwindTableCache.encode(table, key)
    try directory.keep(bytes.borrowedBytes, as: key.name)
  }
}
