import Base
import Glibc

// What libFuzzer calls; one program for all targets, so that there is one build.
//
//   fuzz TARGET [libFuzzer's own arguments…]
//   fuzz --seeds DIR      writes the sections of the fixtures, a folder a target

@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
  _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// Set once, before the first input.
nonisolated(unsafe) var chosen: ([UInt8]) -> Void = { _ in }

@main
enum Fuzz {
  static func main() {
    let arguments = CommandLine.arguments
    if arguments.count == 3, arguments[1] == "--seeds" {
      DwarfTargets.writeSeeds(below: arguments[2])
      return
    }
    guard arguments.count > 1, let target = Targets.all.first(where: { $0.name == arguments[1] }) else {
      for target in Targets.all { print(target.name) }
      exit(arguments.count > 1 ? 64 : 0)
    }
    chosen = target.run
    var list: [UnsafeMutablePointer<CChar>?] = ([arguments[0]] + arguments.dropFirst(2)).map { strdup($0) } + [nil]
    var count = Int32(list.count - 1)
    let status = list.withUnsafeMutableBufferPointer { list in
      var start = list.baseAddress
      return withUnsafeMutablePointer(to: &start) { start in
        runDriver(&count, start) { bytes, count in
          chosen(Array(UnsafeBufferPointer(start: bytes, count: count)))
          return 0
        }
      }
    }
    exit(status)
  }
}
