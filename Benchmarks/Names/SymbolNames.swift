import Base
import Glibc
import Symbolize

// Looks up the addresses of one file, each a hexadecimal number on a line of its own on standard input, and prints for each
// its functions, innermost first, as `name file:line`, one a line and an empty line behind the last; `??` for none.
//
//   symbol-names FILE [--quiet] [--alone] [--cache DIRECTORY] [--workers N] < ADDRESSES
//
// --quiet prints how many have a name, the seconds that looking them up took, and the memory: for measuring. --alone looks for
// no debug file; --cache names where lines are kept between runs.

@main
enum SymbolNames {
  nonisolated static func main() {
    guard CommandLine.arguments.count >= 2 else { fail("usage: symbol-names FILE [--quiet] < ADDRESSES") }
    let path = CommandLine.arguments[1]
    let image: ImageBytes
    do {
      image = try MappedFileAccess().open(path)
    } catch {
      fail("\(error)")
    }
    let addresses = parse(readAll())
    let began = now()
    // In ascending order, as the replay asks for them.
    let order = order(of: addresses)
    var sorted: [ImageAddress] = []
    for index in order { sorted.append(ImageAddress(addresses[index])) }
    var symbolizer = Symbolizer(locator: ImageLocator(recordedCopy: { _ in image }))
    if CommandLine.arguments.contains("--alone") { symbolizer.locator.access = NoFiles() }
    if let cache = option("--cache") {
      guard let directory = try? PreparedLineDirectory(path: cache) else { fail("\(cache): cannot be used") }
      symbolizer.prepared = PreparedLines(directory)
    }
    let found = symbolizer.symbolize(
      ImageIdentity(path: path), sorted,
      workers: option("--workers").flatMap { Int($0) } ?? 1
    ).symbolizations
    if CommandLine.arguments.contains("--quiet") {
      let seconds = now() - began
      var named = 0
      for case .frames in found { named += 1 }
      let status = (try? contents(of: "/proc/self/status", limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      func kilobytes(_ key: String) -> Int {
        status.split(separator: "\n").first { $0.hasPrefix(key) }.flatMap { Int($0.filter(\.isNumber)) } ?? 0
      }
      let memory = "\(kilobytes("RssAnon:") / 1024) MiB private, \(kilobytes("VmHWM:") / 1024) MiB"
      print("\(named) of \(addresses.count) in \(seconds) s, \(memory)")
    } else {
      printAll(order, found)
    }
    // Without giving back a hundred thousand names one by one.
    exit(0)
  }

  private nonisolated static func option(_ name: String) -> String? {
    let arguments = CommandLine.arguments
    return arguments.firstIndex(of: name).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
  }

  private nonisolated static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private struct NoFiles: DebugFileAccess {
    func status(of path: String) -> DebugFileStatus? { nil }
    func open(_ path: String) throws(SystemCallError) -> ImageBytes { throw SystemCallError(call: "open", path: path, code: ENOENT) }
  }

  private nonisolated static func order(of addresses: [UInt64]) -> [Int] {
    // Loops, not closures: those ask each time whether they are on the main actor.
    var keys: [UInt64] = []
    var all: UInt64 = 0
    for (index, address) in addresses.enumerated() {
      keys.append(address << 20 | UInt64(index))
      all |= address
    }
    guard addresses.count <= 1 << 20, all < 1 << 44 else { return addresses.indices.sorted { addresses[$0] < addresses[$1] } }
    keys.sortNumbers(fromBit: 20)
    var order: [Int] = []
    order.reserveCapacity(keys.count)
    for key in keys { order.append(Int(key & 0xfffff)) }
    return order
  }

  private nonisolated static func printAll(_ order: [Int], _ found: [Symbolization]) {
    // The texts in the order they were made, which is how they lie in memory; then each where it was asked for.
    var texts: [UInt8] = []
    // Else it is copied each time it has doubled; what is not used of it is never there.
    texts.reserveCapacity(order.count * 256)
    var places = [(start: Int, end: Int)](repeating: (0, 0), count: order.count)
    for place in order.indices {
      let start = texts.count
      append(found[place], &texts)
      places[order[place]] = (start, texts.count)
    }
    texts.withUnsafeMutableBytes { texts in
      var parts: [iovec] = []
      parts.reserveCapacity(partCount)
      for place in places {
        parts.append(iovec(iov_base: texts.baseAddress.map { $0 + place.start }, iov_len: place.end - place.start))
        if parts.count == partCount { flush(&parts) }
      }
      flush(&parts)
    }
  }

  /// What the kernel takes at once (`IOV_MAX`, limits.h).
  private nonisolated static let partCount = 1024

  private nonisolated static func flush(_ parts: inout [iovec]) {
    var first = 0
    while first < parts.count {
      var put = parts[first...].withUnsafeBufferPointer { writev(1, $0.baseAddress, Int32($0.count)) }
      if put <= 0 { exit(1) }
      while first < parts.count, put >= parts[first].iov_len {
        put -= parts[first].iov_len
        first += 1
      }
      if put > 0 {
        parts[first].iov_base = parts[first].iov_base.map { $0 + put }
        parts[first].iov_len -= put
      }
    }
    parts.removeAll(keepingCapacity: true)
  }

  private nonisolated static func append(_ found: Symbolization, _ out: inout [UInt8]) {
    guard case .frames(let frames) = found else {
      append("??\n\n", &out)
      return
    }
    for frame in frames {
      append(frame.function, &out)
      if frame.file == nil, frame.line == nil {
        append(" ??:0\n", &out)
        continue
      }
      append(" ", &out)
      append(frame.file ?? "??", &out)
      append(":", &out)
      append(frame.line ?? 0, &out)
      append("\n", &out)
    }
    append("\n", &out)
  }

  private nonisolated static func append(_ text: String, _ out: inout [UInt8]) {
    // In one piece: a text's view of bytes is appended byte by byte.
    var text = text
    text.withUTF8 { out.append(contentsOf: $0) }
  }

  private nonisolated static func append(_ number: UInt32, _ out: inout [UInt8]) {
    var divisor: UInt32 = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      out.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }

  private nonisolated static func fail(_ text: String) -> Never {
    let bytes = Array((text + "\n").utf8)
    _ = write(2, bytes, bytes.count)
    exit(1)
  }

  private nonisolated static func readAll() -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let got = read(0, &piece, piece.count)
      if got <= 0 { return all }
      all += piece[..<got]
    }
  }

  private nonisolated static func parse(_ text: [UInt8]) -> [UInt64] {
    var addresses: [UInt64] = []
    var value: UInt64 = 0
    var hasDigit = false
    for byte in text {
      switch byte {
      case 0x30...0x39: (value, hasDigit) = (value << 4 | UInt64(byte - 0x30), true)
      case 0x61...0x66: (value, hasDigit) = (value << 4 | UInt64(byte - 0x61 + 10), true)
      case 0x78: value = 0  // the x of 0x
      default:
        if hasDigit { addresses.append(value) }
        (value, hasDigit) = (0, false)
      }
    }
    if hasDigit { addresses.append(value) }
    return addresses
  }
}
