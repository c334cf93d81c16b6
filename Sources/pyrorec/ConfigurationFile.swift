import ArgumentParser
import Base
import Configuration
import Glibc
import Logging
import Recorder
import Targets

extension Console {
  /// Reads and checks an Alloy configuration, or ends the command: 64 with every error of the file, 1 when it is unreadable.
  func configuration(_ path: String) throws -> Configuration {
    let file: SourceFile
    do throws(SystemCallError) {
      file = try SourceFile(at: path)
    } catch {
      self.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
    var warnings: [Diagnostic] = []
    do throws(Configuration.Problems) {
      let configuration = try Configuration(file, .live, warnings: &warnings)
      if !warnings.isEmpty, logger.logLevel <= .warning { StandardErrorHandler.write(DiagnosticText(file).render(warnings)) }
      return configuration
    } catch {
      StandardErrorHandler.write(error.text)
      self.error("\(path): \(error.diagnostics.count) error\(error.diagnostics.count == 1 ? "" : "s")")
      throw ExitCode(ExitStatus.misuse)
    }
  }
}

extension SourceFile {
  /// The configuration at `path`: a file, or a directory, whose files ending in `.alloy` are one configuration as in Alloy.
  init(at path: String) throws(SystemCallError) {
    var status = stat()
    // Safe: the string outlives the call, and the structure is a local.
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      self.init(name: path, bytes: try contents(of: path, limit: Self.maximumByteCount))
      return
    }
    let directory = path.hasSuffix("/") ? String(path.dropLast()) : path
    var files: [(name: String, bytes: [UInt8])] = []
    var room = Self.maximumByteCount
    for name in DirectoryListing.names(in: directory) where name.hasSuffix(".alloy") {
      let bytes = try contents(of: "\(directory)/\(name)", limit: room)
      room -= bytes.count
      files.append(("\(directory)/\(name)", bytes))
    }
    // As for a file that is not there.
    if files.isEmpty { throw SystemCallError(call: "open", path: "\(directory)/*.alloy", code: ENOENT) }
    self.init(name: path, files: files)
  }
}

extension ConfigurationEnvironment {
  /// This machine and the environment that pyrorec was started in.
  static var live: ConfigurationEnvironment {
    var name = [CChar](repeating: 0, count: 257)
    // Safe: one byte less than the buffer has, so the last stays NUL.
    let hostname =
      unsafe gethostname(&name, name.count - 1) == 0
      ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    #if arch(arm64)
      let architecture = "arm64"
    #else
      let architecture = "amd64"
    #endif
    return ConfigurationEnvironment(
      hostname: hostname, operatingSystem: "linux", architecture: architecture, version: "v" + Pyrorec.version
    ) { variable in
      // Safe: the text is copied at once, and nothing here changes the environment.
      unsafe getenv(variable).map { unsafe String(cString: $0) }
    }
  }
}

/// The processes of this machine.
struct LiveProcesses: ProcessInformation {
  private static let textLimit = 4 << 20
  private let files = LiveProcessFileSystem()
  private let userNames: [UInt32: String]

  init() {
    let text = (try? contents(of: "/etc/passwd", limit: Self.textLimit)) ?? []
    userNames = ProcessDiscovery.userNames(inPasswordFile: String(decoding: text, as: UTF8.self))
  }

  func processes() -> [UInt32] { files.processes() }

  func link(_ process: UInt32, _ name: String) -> ProcessAnswer<String> {
    do throws(SystemCallError) {
      return .known(try files.link("\(process)/\(name)"))
    } catch {
      return Self.isGone(error) ? .gone : .refused("\(error)")
    }
  }

  func read(_ process: UInt32, _ name: String) -> ProcessAnswer<[UInt8]> {
    do throws(SystemCallError) {
      return .known(try files.read("\(process)/\(name)", limit: Self.textLimit))
    } catch {
      return Self.isGone(error) ? .gone : .refused("\(error)")
    }
  }

  func userName(_ user: UInt32) -> String? { userNames[user] }

  private static func isGone(_ error: SystemCallError) -> Bool { error.code == ENOENT || error.code == ESRCH }
}
