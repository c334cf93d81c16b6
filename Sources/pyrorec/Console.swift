import ArgumentParser
import Base
import Glibc
import Logging

/// The exit statuses of every command.
enum ExitStatus {
  static let failed: Int32 = 1
  /// Done, but with losses, and `--strict` was given.
  static let losses: Int32 = 2
  /// `EX_USAGE`
  static let misuse: Int32 = 64
  /// `EX_DATAERR`: not a readable trace.
  static let notATrace: Int32 = 65
  /// `EX_UNAVAILABLE`: kernel or server.
  static let unavailable: Int32 = 69
  /// `EX_NOPERM`
  static let privilegeMissing: Int32 = 77
}

/// How much is said on standard error.
struct MessageOptions: ParsableArguments {
  @Flag(name: [.short, .long], help: "Say nothing but errors.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Say more.")
  var verbose = false

  var console: Console { Console(quiet: quiet, verbose: verbose) }
}

/// Messages go to standard error, results to standard output; only this executable writes to either.
struct Console {
  let logger: Logger
  private let showsProgress: Bool

  init(quiet: Bool, verbose: Bool) {
    var logger = Logger(label: "pyrorec") { _ in StandardErrorHandler() }
    logger.logLevel = quiet ? .error : verbose ? .debug : .info
    self.logger = logger
    showsProgress = !quiet && isatty(2) == 1
  }

  func error(_ message: String) { logger.error("\(message)") }
  func warning(_ message: String) { logger.warning("\(message)") }
  func note(_ message: String) { logger.info("\(message)") }
  func detail(_ message: String) { logger.debug("\(message)") }

  /// One line that the next one replaces; nothing when standard error is no terminal.
  func progress(_ message: String) {
    guard showsProgress else { return }
    StandardErrorHandler.write("\r\u{1b}[K\(message)")
  }

  func endProgress() {
    guard showsProgress else { return }
    StandardErrorHandler.write("\r\u{1b}[K")
  }
}

/// `pyrorec: error: …` on standard error: what a user of any command-line tool expects to read.
struct StandardErrorHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let prefix =
      switch event.level {
      case .error, .critical: "pyrorec: error: "
      case .warning: "pyrorec: warning: "
      default: "pyrorec: "
      }
    Self.write("\(prefix)\(event.message)\n")
  }

  static func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      // Safe: the pointer is used only inside the closure.
      let put = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
      guard put > 0 else { return }
      bytes = bytes.dropFirst(put)
    }
  }
}
