import ArgumentParser
import Base
import Glibc
import HTTP
import Uploader

/// How a server is reached and who asks.
struct ConnectionOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The user; the password comes from PYROREC_PASSWORD or --password-file.", valueName: "name"))
  var user: String?

  @Option(help: ArgumentHelp("A file that holds the password.", valueName: "file"))
  var passwordFile: String?

  @Option(help: ArgumentHelp("A file that holds a bearer token; PYROREC_TOKEN holds one itself.", valueName: "file"))
  var tokenFile: String?

  @Option(help: ArgumentHelp("The tenant, as X-Scope-OrgID.", valueName: "id"))
  var tenant: String?

  @Option(help: ArgumentHelp("A header of every request. May be given again.", valueName: "name:value"))
  var header: [HeaderArgument] = []

  @Option(help: ArgumentHelp("Authorities to trust instead of the system's, PEM.", valueName: "file"))
  var caFile: String?

  @Option(help: ArgumentHelp("A certificate to show, PEM.", valueName: "file"))
  var cert: String?

  @Option(help: ArgumentHelp("Its key, PEM, when it is not in the same file.", valueName: "file"))
  var key: String?

  @Flag(help: "Trust any server. What is sent can then be read and changed on the way.")
  var insecure = false

  @Option(help: ArgumentHelp("How long one request may take; 60s when not given.", valueName: "duration"))
  var timeout: DurationArgument?

  @Option(help: ArgumentHelp("How often a failed request is tried again, with longer and longer waits.", valueName: "count"))
  var retries = 9

  func validate() throws {
    guard (0...1000).contains(retries) else { throw ValidationError("--retries is 0 to 1000") }
    guard user?.contains(":") != true else {
      throw ValidationError("--user takes a name only: everyone can see the command line. Put the password into PYROREC_PASSWORD or a file")
    }
    guard key == nil || cert != nil else { throw ValidationError("--key needs --cert") }
    guard passwordFile == nil || user != nil else { throw ValidationError("--password-file needs --user") }
    guard tokenFile == nil || user == nil else { throw ValidationError("--user and --token-file exclude each other") }
  }

  /// - Throws: `UploadError` when a secret cannot be had.
  var options: DestinationOptions {
    get throws(UploadError) {
      var options = DestinationOptions()
      options.credentials = try credentials
      options.headers = header.map(\.header)
      if let tenant { options.headers.append(HTTPHeader("X-Scope-OrgID", tenant)) }
      for (name, path) in [("--ca-file", caFile), ("--cert", cert), ("--key", key)] {
        // libcurl says only that something is wrong with one of them.
        if let path, unsafe access(path, R_OK) != 0 {
          throw .unreadableFile(what: name, SystemCallError(call: "open", path: path, code: errno))
        }
      }
      options.tls.authorityFile = caFile
      options.tls.certificateFile = cert
      options.tls.keyFile = key
      options.tls.isInsecure = insecure
      if let timeout { options.requestTimeoutMilliseconds = Int(clamping: max(1, timeout.nanoseconds / 1_000_000)) }
      options.connectTimeoutMilliseconds = min(options.connectTimeoutMilliseconds, options.requestTimeoutMilliseconds)
      options.userAgent = "pyrorec/\(Pyrorec.version)"
      return options
    }
  }

  private var credentials: Credentials {
    get throws(UploadError) {
      if let user {
        let password =
          try passwordFile.map { path throws(UploadError) in try Self.secret(path, "--password-file") }
          ?? Environment.value("PYROREC_PASSWORD")
        guard let password else {
          throw .missingSecret(what: "--user", why: "set PYROREC_PASSWORD or give --password-file")
        }
        return .basic(user: user, password: password)
      }
      if let tokenFile { return .bearer(token: try Self.secret(tokenFile, "--token-file")) }
      if let token = Environment.value("PYROREC_TOKEN") { return .bearer(token: token) }
      return .none
    }
  }

  /// The file's first line.
  private static func secret(_ path: String, _ what: String) throws(UploadError) -> String {
    let bytes: [UInt8]
    do { bytes = try contents(of: path, limit: 1 << 16) } catch { throw .unreadableFile(what: what, error) }
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    guard !line.isEmpty else { throw .missingSecret(what: what, why: "\(path) is empty") }
    return String(decoding: line, as: UTF8.self)
  }
}

/// `NAME=VALUE`.
struct LabelArgument: ExpressibleByArgument {
  let label: UploadLabel

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
    label = UploadLabel(String(argument[..<equals]), String(argument[argument.index(after: equals)...]))
  }
}

/// `NAME:VALUE`, spaces around the value left out.
struct HeaderArgument: ExpressibleByArgument {
  let header: HTTPHeader

  init?(argument: String) {
    guard let colon = argument.firstIndex(of: ":"), colon != argument.startIndex else { return nil }
    let value = argument[argument.index(after: colon)...].drop { $0 == " " }
    header = HTTPHeader(String(argument[..<colon]), String(value))
  }
}

enum Environment {
  /// The variable's value; `nil` also when it is empty.
  static func value(_ name: String) -> String? {
    // Safe: nothing in this process changes the environment.
    guard let text = unsafe getenv(name), unsafe text.pointee != 0 else { return nil }
    return unsafe String(cString: text)
  }
}
