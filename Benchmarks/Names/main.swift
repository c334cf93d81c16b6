import Base
import Glibc
import Symbolize

// Looks up the addresses of one file, each a hexadecimal number on a line of its own on standard input, and prints for each
// its functions, innermost first, as `name file:line`, one a line and an empty line behind the last; `??` for none.
//
//   symbol-names FILE [--quiet] < ADDRESSES
//
// --quiet prints how many have a name and nothing else: for measuring.

func fail(_ text: String) -> Never {
  let bytes = Array((text + "\n").utf8)
  _ = write(2, bytes, bytes.count)
  exit(1)
}

func readAll() -> [UInt8] {
  var all: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 1 << 20)
  while true {
    let got = read(0, &piece, piece.count)
    if got <= 0 { return all }
    all += piece[..<got]
  }
}

guard CommandLine.arguments.count >= 2 else { fail("usage: symbol-names FILE [--quiet] < ADDRESSES") }
let path = CommandLine.arguments[1]
let isQuiet = CommandLine.arguments.contains("--quiet")

var addresses: [ImageAddress] = []
var value: UInt64 = 0
var hasDigit = false
for byte in readAll() {
  switch byte {
  case 0x30...0x39: (value, hasDigit) = (value << 4 | UInt64(byte - 0x30), true)
  case 0x61...0x66: (value, hasDigit) = (value << 4 | UInt64(byte - 0x61 + 10), true)
  case 0x78: value = 0  // the x of 0x
  default:
    if hasDigit { addresses.append(ImageAddress(value)) }
    (value, hasDigit) = (0, false)
  }
}
if hasDigit { addresses.append(ImageAddress(value)) }

let image: ImageBytes
do {
  image = ImageBytes(try MappedFile(path: path))
} catch {
  fail("\(error)")
}
// In ascending order, as the replay asks for them.
let order = addresses.indices.sorted { addresses[$0] < addresses[$1] }
let symbolizer = Symbolizer(locator: ImageLocator(recordedCopy: { _ in image }))
let found = symbolizer.symbolize(ImageIdentity(path: path), order.map { addresses[$0] }).symbolizations

if isQuiet {
  var named = 0
  for case .frames in found { named += 1 }
  print("\(named) of \(addresses.count)")
} else {
  var answers = [Symbolization?](repeating: nil, count: addresses.count)
  for (place, index) in order.enumerated() { answers[index] = found[place] }
  var out = ""
  for answer in answers {
    switch answer {
    case .frames(let frames):
      for frame in frames {
        out += frame.function + " " + (frame.file ?? "??") + ":" + String(frame.line ?? 0) + "\n"
      }
    default: out += "??\n"
    }
    out += "\n"
  }
  print(out, terminator: "")
}
