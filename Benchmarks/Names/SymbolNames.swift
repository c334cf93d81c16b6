import Base
import Glibc
import Symbolize

// Looks up the addresses of one file, each a hexadecimal number on a line of its own on standard input, and prints for each
// its functions, innermost first, as `name file:line`, one a line and an empty line behind the last; `??` for none.
//
//   symbol-names FILE [--quiet] < ADDRESSES
//
// --quiet prints how many have a name and nothing else: for measuring.

@main
enum SymbolNames {
  static func main() {
    guard CommandLine.arguments.count >= 2 else { fail("usage: symbol-names FILE [--quiet] < ADDRESSES") }
    let path = CommandLine.arguments[1]
    let image: ImageBytes
    do {
      image = ImageBytes(try MappedFile(path: path))
    } catch {
      fail("\(error)")
    }
    let addresses = parse(readAll())
    // In ascending order, as the replay asks for them.
    let sorted = addresses.sorted()
    let symbolizer = Symbolizer(locator: ImageLocator(recordedCopy: { _ in image }))
    let found = symbolizer.symbolize(ImageIdentity(path: path), sorted.map { ImageAddress($0) }).symbolizations
    if CommandLine.arguments.contains("--quiet") {
      var named = 0
      for case .frames in found { named += 1 }
      print("\(named) of \(addresses.count)")
    } else {
      printAll(addresses, sorted, found)
    }
  }

  private static func printAll(_ addresses: [UInt64], _ sorted: [UInt64], _ found: [Symbolization]) {
    var out: [UInt8] = []
    for address in addresses {
      var low = 0
      var high = sorted.count
      while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < address { low = middle + 1 } else { high = middle }
      }
      if case .frames(let frames) = found[low] {
        for frame in frames {
          out += frame.function.utf8
          out.append(UInt8(ascii: " "))
          out += (frame.file ?? "??").utf8
          out += ":\(frame.line ?? 0)\n".utf8
        }
      } else {
        out += "??\n".utf8
      }
      out.append(UInt8(ascii: "\n"))
    }
    var done = 0
    while done < out.count {
      let put = out[done...].withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
      if put <= 0 { return }
      done += put
    }
  }

  private static func fail(_ text: String) -> Never {
    let bytes = Array((text + "\n").utf8)
    _ = write(2, bytes, bytes.count)
    exit(1)
  }

  private static func readAll() -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let got = read(0, &piece, piece.count)
      if got <= 0 { return all }
      all += piece[..<got]
    }
  }

  private static func parse(_ text: [UInt8]) -> [UInt64] {
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
