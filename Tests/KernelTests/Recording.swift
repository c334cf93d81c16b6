import Glibc
import TestSupport
import Testing

/// Tests that load BPF programs. They run one after the other, so that each has the machine's two cores.
@Suite(
  .serialized, .tags(.kernel),
  .enabled(if: KernelAccess.missing == nil, "no BPF here: \(KernelAccess.missing ?? "")"))
struct KernelTests {}

/// A recording made by the command under test, and the questions the tests ask of it.
struct Recording {
  let scratch: ScratchDirectory
  let outcome: CommandOutcome
  var trace: String { "\(scratch.path)/trace.seg" }

  /// Records `command` until it ends.
  init(of command: [String], frequency: Int = 499, options: [String] = [], symbolize: Bool = true) throws {
    scratch = try ScratchDirectory()
    outcome = try Command.run(
      [Command.pyrorec, "record", "-F", "\(frequency)"] + options + ["-o", "\(scratch.path)/trace.seg", "--"] + command,
      limit: .seconds(90))
    try #require(outcome.status == 0, "\(outcome)")
    if symbolize {
      let symbolized = try Command.pyrorec("symbolize", trace)
      try #require(symbolized.status == 0, "\(symbolized)")
    }
  }

  /// The stacks of `trace`, kernel frames marked.
  static func stacks(of trace: String) throws -> CollapsedStacks {
    let converted = try Command.pyrorec("convert", trace, "-f", "collapsed", "--annotate", "-o", "-")
    try #require(converted.status == 0, "\(converted)")
    return try CollapsedStacks(parsing: converted.output)
  }
  func stacks() throws -> CollapsedStacks { try Self.stacks(of: trace) }

  /// A number of `inspect --format json`, by the contract's dotted name; `nil` when it is not there.
  static func fact(_ name: String, of trace: String) throws -> Double? {
    let inspected = try Command.pyrorec("inspect", trace, "--format", "json")
    try #require(inspected.status == 0, "\(inspected)")
    return JSONNumbers(inspected.output)[name]
  }
  func fact(_ name: String) throws -> Double? { try Self.fact(name, of: trace) }
}

/// The numbers (and booleans, as 1 and 0) of a JSON object by their dotted paths; enough JSON for `inspect`, whose own
/// output it is. Keys may hold dots themselves.
struct JSONNumbers {
  private var values: [String: Double] = [:]

  init(_ text: String) {
    var path: [String] = []
    var bytes = Array(text.utf8)[...]
    var key = ""
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        path.append(key)
        key = ""
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if !path.isEmpty { path.removeLast() }
      case UInt8(ascii: "\""):
        var string: [UInt8] = []
        while let next = bytes.popFirst(), next != UInt8(ascii: "\"") {
          string.append(next)
          if next == UInt8(ascii: "\\"), let escaped = bytes.popFirst() { string.append(escaped) }
        }
        // A string followed by a colon is a key; any other is a value nobody asks for.
        let rest = bytes.drop { $0 == UInt8(ascii: " ") }
        if rest.first == UInt8(ascii: ":") { key = String(decoding: string, as: UTF8.self) }
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "t"), UInt8(ascii: "f"):
        var word = [byte]
        while let next = bytes.first, !",}] \n\r\t".utf8.contains(next) {
          word.append(next)
          bytes = bytes.dropFirst()
        }
        let text = String(decoding: word, as: UTF8.self)
        let name = (path.dropFirst().filter { !$0.isEmpty } + [key]).joined(separator: ".")
        values[name] = text == "true" ? 1 : text == "false" ? 0 : Double(text)
      default: break
      }
    }
  }

  subscript(name: String) -> Double? { values[name] }
}
