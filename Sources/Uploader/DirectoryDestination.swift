import Base
import Profile

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A directory: `NAME.pb.gz` a profile, and its series labels as one JSON object in `NAME.json`.
///
/// NAME is made of service, metric, start and a hash of labels and content, so the same profile always gets the same
/// name and sending it again changes nothing. Files are whole or not there (written aside, then renamed), mode 0600.
package struct DirectoryDestination: ProfileDestination {
  package static let schemes = ["file"]
  package let rules: DestinationRules? = nil
  package let identity: String? = nil
  package let warnings: [String] = []
  private let directory: String

  package init(_ url: DestinationURL, _ options: DestinationOptions) throws(UploadError) {
    var path = url.path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    guard !path.utf8.contains(0) else { throw .invalidURL(url.text, why: "a path has no NUL") }
    directory = path
  }

  package func send(_ upload: PreparedUpload) -> UploadOutcome {
    let name = directory + "/" + Self.name(upload)
    do {
      try makeDirectories()
      try write(upload.profile.bytes, to: name + ".pb.gz")
      // The labels come last: who finds them finds the profile too.
      try write(Self.labels(upload), to: name + ".json")
    } catch {
      // A full disk is full for the next one as well.
      return .misconfigured(error.description)
    }
    return .accepted
  }

  static func name(_ upload: PreparedUpload) -> String {
    func word(_ label: String, _ fallback: String) -> String {
      let value = upload.labels.first { $0.name == label }?.value ?? fallback
      let safe = value.utf8.prefix(60).map { byte -> UInt8 in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
          byte
        default: UInt8(ascii: "_")
        }
      }
      return safe.isEmpty ? fallback : String(decoding: safe, as: UTF8.self)
    }
    let time = HTTPDate.compact(nanoseconds: upload.profile.timeNanoseconds)
    let hash = hexadecimal(upload.contentKey).prefix(10)
    return "\(word("service_name", "unknown_service"))-\(word("__name__", "profile"))-\(time)-\(hash)"
  }

  private static func labels(_ upload: PreparedUpload) -> [UInt8] {
    var json = JSONWriter()
    json.object {
      for label in upload.labels { $0.field(label.name, label.value) }
    }
    return json.bytes + [UInt8(ascii: "\n")]
  }

  private func makeDirectories() throws(SystemCallError) {
    var path = ""
    for part in directory.split(separator: "/") {
      path += "/" + part
      if unsafe mkdir(path, 0o700) != 0, errno != EEXIST, unsafe access(path, X_OK) != 0 {
        throw SystemCallError(call: "mkdir", path: path, code: errno)
      }
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws(SystemCallError) {
    let aside = "\(path).\(getpid()).part"
    do throws(SystemCallError) {
      let file = try OwnedDescriptor(open: aside, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
      // Safe: bytes have no padding between them.
      try file.write(unsafe bytes.span.bytes, path: aside)
      guard fsync(file.rawValue) == 0 else { throw SystemCallError(call: "fsync", path: aside, code: errno) }
    } catch {
      _ = unsafe unlink(aside)
      throw error
    }
    guard unsafe rename(aside, path) == 0 else {
      let code = errno
      _ = unsafe unlink(aside)
      throw SystemCallError(call: "rename", path: path, code: code)
    }
  }
}
