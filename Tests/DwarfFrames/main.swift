import Base
import DebugInfo
import Glibc

// dwarf-frames [--workers N] [--count] [--alternate FILE] [--package FILE] FILE
//
// Reads addresses, one a line, in hexadecimal, and prints the frames of each, innermost first, as llvm-symbolizer's
// --output-style=LLVM does. With --count prints one line with the seconds taken instead.

final class Mapped: SharedBytes {
  private enum Owner: ~Copyable, Sendable { case file(MappedFile) }
  private let owner: Owner
  init(_ path: String) throws { owner = .file(try MappedFile(path: path)) }
  var bytes: RawSpan {
    @_lifetime(borrow self) get {
      switch owner {
      // Safe: `owner` never changes and lives as long as `self`.
      case .file(let file): unsafe _overrideLifetime(file.bytes, borrowing: self)
      }
    }
  }
}

func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

var workers = 2
var counts = false
var path: String?
var alternatePath: String?
var packagePath: String?
var arguments = CommandLine.arguments.dropFirst().makeIterator()
while let word = arguments.next() {
  switch word {
  case "--workers": workers = arguments.next().flatMap { Int($0) } ?? 1
  case "--alternate": alternatePath = arguments.next()
  case "--package": packagePath = arguments.next()
  case "--count": counts = true
  default: path = word
  }
}
guard let path else {
  print("usage: dwarf-frames [--workers N] [--count] [--alternate FILE] [--package FILE] FILE")
  exit(64)
}
var addresses: [UInt64] = []
while let line = readLine() {
  if let address = UInt64(line.hasPrefix("0x") ? line.dropFirst(2) : line[...], radix: 16) { addresses.append(address) }
}
let start = now()
let file: DebugFile
do {
  let threads = workers
  let alternate = try alternatePath.map { try DebugFile(try Mapped($0), workers: threads, streamsFrom: .max) }
  let package = try packagePath.map { try Mapped($0) }
  file = try DebugFile(try Mapped(path), alternate: alternate, package: package, workers: threads) { request in
    try? Mapped(request.name.hasPrefix("/") ? request.name : request.directory + "/" + request.name)
  }
} catch {
  print("dwarf-frames: \(path): \(error)")
  exit(65)
}
let opened = now()
let order = addresses.indices.sorted { addresses[$0] < addresses[$1] }
let frames = file.frames(at: order.map { addresses[$0] }, workers: workers)
if counts {
  var named = 0
  var total = 0
  var sum = 0
  for index in addresses.indices {
    let found = frames.frames(at: index)
    total += found.count
    named += found.contains { $0.function != nil } ? 1 : 0
    for frame in found {
      sum &+= (frame.function?.utf8.count ?? 0) &+ (frame.file?.utf8.count ?? 0) &+ Int(frame.line ?? 0)
    }
  }
  let end = now()
  // Memory of this process alone: the files it maps are shared with everyone.
  let status = (try? contents(of: "/proc/self/status", limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  let anonymous = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }.flatMap { Int($0.filter(\.isNumber)) } ?? 0
  print(
    "{\"n\":\(addresses.count),\"named\":\(named),\"frames\":\(total),\"sum\":\(sum),\"open\":\(opened - start),"
      + "\"seconds\":\(end - start),\"private_mib\":\(anonymous / 1024)}")
} else {
  var rank = [Int](repeating: 0, count: order.count)
  for (sorted, original) in order.enumerated() { rank[original] = sorted }
  var text = ""
  for index in addresses.indices {
    let found = frames.frames(at: rank[index])
    text += "0x" + String(addresses[index], radix: 16) + "\n"
    if found.isEmpty { text += "??\n??:0:0\n" }
    for frame in found {
      text += (frame.function ?? "??") + "\n"
      text += (frame.file ?? "??") + ":\(frame.line ?? 0):\(frame.column ?? 0)\n"
    }
    text += "\n"
    if text.utf8.count > 1 << 16 {
      print(text, terminator: "")
      text = ""
    }
  }
  print(text, terminator: "")
}
