import Base
import CRecorderABI
import Glibc
import ObjectFile
import TestSupport
import Testing
import TraceFormat
import Unwind

@testable import Interpreters
@testable import Recorder

/// Memory of real Pythons (fixtures/python), each standing in the same frames.
@Suite struct PythonImageTests {
  /// Those that scripts/record-python-memory has recorded.
  static let names = ["3.6", "3.8", "3.9", "3.11", "3.12", "3.13", "3.14", "3.15"].filter {
    access("\(Command.repository)/fixtures/python/\($0)", R_OK) == 0
  }

  private static func image(_ name: String) throws -> PythonImage {
    let file = try MappedFile(path: "\(Command.repository)/fixtures/python/\(name)")
    let image = PythonImage(file.bytes.copied())
    return try #require(image)
  }

  private static let long = "stand_with_a_name_that_is_longer_than_what_is_read_of_a_short_one"

  @Test("frames of recorded memory have the names and lines that the program has", arguments: names)
  func asItWas(name: String) throws {
    let image = try Self.image(name)
    let process = try image.process()
    let found = try image.unwind(process, by: image.stack.unwinder())
    let method = process.layout.code.qualifiedName == nil ? "größe" : "Klasse.größe"
    #expect(
      image.names(found, process, in: image.memory) == [
        "\(Self.long):12", "\(method):7", "generate:16", "main:20", "<module>:23",
      ])
  }

  @Test("whatever any word of recorded memory says, the walk ends, reads little, and gives frames or a reason", arguments: names)
  func corrupted(name: String) throws {
    let whole = try Self.image(name)
    let process = try whole.process()
    let loaded = try whole.stack.unwinder()
    let right = whole.names(try whole.unwind(process, by: loaded), process, in: whole.memory)
    var outcomes: [String: Int] = [:]
    for (number, region) in whole.memory.regions.enumerated() {
      for offset in stride(from: 0, to: region.bytes.count - 7, by: 8) {
        let value = region.bytes.littleEndianWord(at: offset) ?? 0
        // What lies below frames in their page is zeros, and is not looked at.
        let around = region.bytes[max(offset - 32, 0)..<min(offset + 40, region.bytes.count)]
        if around.allSatisfy({ $0 == 0 }) { continue }
        for other in [0, .max, value ^ 1, value ^ 1 << 40, value << 1, region.start] where other != value {
          var memory = RecordedMemory()
          for (place, piece) in whole.memory.regions.enumerated() {
            var bytes = piece.bytes
            if place == number {
              for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: other >> UInt64(8 * byte)) }
            }
            memory.append(bytes, at: ProcessAddress(piece.start))
          }
          var image = whole
          image.memory = memory
          // Its own description of itself, from 3.13 on, may be what is damaged.
          guard let process = try? image.process() else {
            outcomes["refused", default: 0] += 1
            continue
          }
          let found = try image.unwind(process, by: loaded)
          #expect(found.frames.count <= HostUnwinding.maximumFrames)
          let watched = WatchedMemory(memory)
          let names = image.names(found, process, in: watched)
          #expect(watched.byteCount <= (names.count + 1) << 15, "\(name): \(region.start + UInt64(offset)) is \(other)")
          outcomes[names == right ? "the same" : names.first { !$0.contains(":") } ?? "other frames", default: 0] += 1
        }
      }
    }
    #expect(outcomes["the same", default: 0] > 100, "\(outcomes)")
    for reason in ["code_malformed", "code_gone", "unreadable", "no_thread_state"] {
      #expect(outcomes[reason, default: 0] > 0, "\(reason): \(outcomes)")
    }
  }

  /// `PID:BINARY` of a program that stands still in `fixtures/programs/python/standing.py`, and the file to write.
  private static let recorded = Command.environmentValue("PYROREC_RECORD_PYTHON")

  @Test(
    "the memory of a Python that stands still is recorded",
    .enabled(if: recorded != nil, "only on request: scripts/record-python-memory"))
  func record() throws {
    let parts = try #require(Self.recorded).split(separator: ":").map(String.init)
    try #require(parts.count == 3)
    let pid = try #require(UInt32(parts[0]))
    let file = try MappedFile(path: parts[1])
    let elf = try ElfFile(file.bytes)
    let found = PythonBinary(elf, path: parts[1])
    let binary = try #require(found)
    let layout = elf.layout
    let maps = try contents(of: "/proc/\(pid)/maps", limit: 1 << 24)
    let bias = try #require(
      ProcessMap.executable(in: maps).filter { $0.path == parts[1] }.compactMap {
        layout.loadBias(mappingStart: ProcessAddress($0.start), fileOffset: FileOffset($0.fileOffset))
      }.first)
    let image = try PythonImage.record(pid, binary, bias: bias)
    let output = try OwnedDescriptor(open: parts[2], O_RDWR | O_CREAT | O_TRUNC)
    try output.write(image.encoded.borrowedBytes, path: parts[2])
  }
}
