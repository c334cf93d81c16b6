import ArgumentParser
import Base
import Glibc

extension Console {
  /// Takes the next piece of a result.
  typealias Put = ([UInt8]) throws(SystemCallError) -> Void

  /// Writes a whole result to `path`, or to standard output. A file appears under its name only once it is whole.
  func write(_ bytes: [UInt8], to path: String?, createsDirectories: Bool = false) throws {
    try write(to: path, createsDirectories: createsDirectories) { (put: Put) throws(SystemCallError) in try put(bytes) }
  }

  /// As the other, for a result that `body` gives away in pieces.
  func write(
    to path: String?, createsDirectories: Bool = false,
    _ body: (Put) throws(SystemCallError) -> Void
  ) throws {
    do throws(SystemCallError) {
      guard let path, path != "-" else {
        let output = OwnedDescriptor(owning: dup(1))
        do throws(SystemCallError) {
          try body { (bytes) throws(SystemCallError) in try output.write(bytes.borrowedBytes, path: "standard output") }
        } catch {
          // `| head` has what it wanted.
          if error.code != EPIPE { throw error }
        }
        return
      }
      if createsDirectories { try FileName.createDirectory(of: path) }
      // Devices and pipes are written as they are; a file is put in place at the end.
      var status = stat()
      let isSpecial = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
      let temporary = isSpecial ? path : path + ".tmp"
      do throws(SystemCallError) {
        let file = try OwnedDescriptor(open: temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try body { (bytes) throws(SystemCallError) in try file.write(bytes.borrowedBytes, path: path) }
      } catch {
        if !isSpecial { _ = unsafe unlink(temporary) }
        throw error
      }
      if !isSpecial, unsafe rename(temporary, path) != 0 { throw SystemCallError(call: "rename", path: path, code: errno) }
    } catch {
      self.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
  }
}

enum FileName {
  /// `trace` of `/some/where/trace.seg`, of `trace.seg.part` and of `trace.jfr`.
  static func stem(of path: String) -> String {
    var name = path.split(separator: "/").last.map(String.init) ?? path
    for ending in [".part", ".seg", ".jfr"] where name.hasSuffix(ending) && name.count > ending.count { name.removeLast(ending.count) }
    return name
  }

  /// `app.mutex.pb.gz` of `app.pb.gz` and `mutex`.
  static func beside(_ path: String, _ word: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let dot = name.dropFirst().firstIndex(of: ".") else { return path + "." + word }
    return path.dropLast(name.count) + name[..<dot] + "." + word + name[dot...]
  }

  /// Only letters, digits, `.`, `_` and `-`, so that a label can name a file.
  static func safe(_ text: String) -> String {
    let kept = text.prefix(100).map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" }
    return kept.isEmpty ? "_" : String(kept)
  }

  static func createDirectory(of path: String) throws(SystemCallError) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/").dropLast() {
      made += "/" + part
      if unsafe mkdir(made, 0o755) != 0, errno != EEXIST { throw SystemCallError(call: "mkdir", path: made, code: errno) }
    }
  }
}
