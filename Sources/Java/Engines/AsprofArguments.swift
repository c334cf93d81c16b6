/// Options of async-profiler's command line (`asprof`, its `main.cpp` and `arguments.cpp`), as a request.
package enum AsprofArguments {
  package struct Problem: Error, Hashable, CustomStringConvertible {
    package let description: String
    init(_ text: String) { description = text }
  }

  /// Of those that take a value, and those that take none, what its agent is told in the same words.
  private static let withValue: Set<String> = [
    "--nativemem", "--nativelock", "--trace", "--cstack", "--signal", "--clock", "--begin", "--end", "--target-cpu", "--proc",
    "--memlimit", "--chunksize", "--chunktime", "--filter", "--include", "--exclude", "--features", "--jstackdepth",
  ]
  private static let alone: Set<String> = [
    "--all", "--nobatch", "--nofree", "--nostop", "--record-cpu", "--sched", "--ttsp", "--simple", "--norm", "--sig", "--ann", "--lib",
  ]
  private static let short = [
    "-e": "--event", "-i": "--interval", "-j": "--jstackdepth", "-t": "--threads", "-s": "--simple", "-n": "--norm", "-g": "--sig",
    "-a": "--ann", "-l": "--lib", "-I": "--include", "-X": "--exclude", "-L": "--log", "-F": "--features",
  ]
  static let defaultWall: Int64 = 50_000_000
  private static let defaultAllocation: Int64 = 512 * 1024

  /// - Parameter arguments: as `asprof` takes them, without an action and without a process.
  package static func request(_ arguments: [String]) throws(Problem) -> JavaRequest {
    var request = JavaRequest.nothing
    var interval: Int64?
    var events: [String] = []
    var rest = arguments[...]
    while let given = rest.popFirst() {
      let name = short[given] ?? given
      func value() throws(Problem) -> String {
        guard let value = rest.popFirst() else { throw Problem("\(given) needs a value") }
        return value
      }
      switch name {
      case "--event": events.append(try value())
      case "--interval": interval = try nanoseconds(try value(), of: given)
      case "--alloc": request.allocationBytes = try bytes(try value(), of: given)
      case "--lock": request.lockNanoseconds = try nanoseconds(try value(), of: given)
      case "--wall": request.wallNanoseconds = try nanoseconds(try value(), of: given)
      case "--live": request.live = true
      case "--tlab": request.usesTLABs = true
      case "--log": request.logLevel = try plain(try value(), of: given)
      // Samples always have their thread; what to do with it is decided when profiles are made.
      case "--threads": break
      case "--all-user": request.further.append("alluser")
      case _ where withValue.contains(name): request.further.append("\(name.dropFirst(2))=\(try plain(try value(), of: given))")
      case _ where alone.contains(name): request.further.append(String(name.dropFirst(2)))
      default: throw Problem("\(given) is no option of async-profiler's that can be used here")
      }
    }
    for event in events { try apply(event, interval, to: &request) }
    if request.live, request.allocationBytes == nil { request.allocationBytes = defaultAllocation }
    if request.isEmpty { try apply("cpu", interval, to: &request) }
    return request
  }

  /// - Parameter interval: between samples, where the event has samples in time.
  package static func apply(_ event: String, _ interval: Int64?, to request: inout JavaRequest) throws(Problem) {
    switch event {
    case "": throw Problem("an event must not be empty")
    case "alloc": request.allocationBytes = request.allocationBytes ?? defaultAllocation
    case "lock": request.lockNanoseconds = request.lockNanoseconds ?? JavaRequest().lockNanoseconds
    case "wall": request.wallNanoseconds = interval ?? request.wallNanoseconds ?? defaultWall
    case "nativemem", "nativelock": request.further.append(event)
    default:
      guard request.cpuNanoseconds == nil else { throw Problem("two events of samples in time, \(request.event) and \(event)") }
      request.event = try plain(event, of: "event")
      request.cpuNanoseconds = interval ?? JavaRequest().cpuNanoseconds
    }
  }

  /// The agent takes its options as one text with commas between.
  private static func plain(_ text: String, of option: String) throws(Problem) -> String {
    guard !text.contains(","), !text.contains("\0") else { throw Problem("\(option) \(text): a comma would end it") }
    return text
  }

  // MARK: Units

  /// `512k`, `1m`, `1000`: more than nothing, or 0.
  package static func bytes(_ text: String, of option: String) throws(Problem) -> Int64 {
    try number(text, units: ["": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30], option)
  }

  /// `10ms`, `500us`, `1s`, `10000000`.
  package static func nanoseconds(_ text: String, of option: String) throws(Problem) -> Int64 {
    try number(
      text,
      units: [
        "": 1, "n": 1, "ns": 1, "u": 1000, "us": 1000, "m": 1_000_000, "ms": 1_000_000, "s": 1_000_000_000,
      ], option)
  }

  private static func number(_ text: String, units: [String: Int64], _ option: String) throws(Problem) -> Int64 {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), let unit = units[text.dropFirst(digits.count).lowercased()] else {
      throw Problem("\(option) \(text): this is no number with a unit, such as 512k or 10ms")
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { throw Problem("\(option) \(text): too large") }
    return product
  }
}
