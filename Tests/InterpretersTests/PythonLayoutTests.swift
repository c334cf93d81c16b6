import Base
import CRecorderABI
@testable import Interpreters
import Testing

@Suite struct PythonLayoutTests {
  /// The numbers behind `xdebugpy` in Debian's builds.
  static let recorded: [(version: PythonVersion, numbers: [UInt64])] = [
    (
      PythonVersion(3, 13),
      [
        0x030d_12f0, 0, 283408, 608, 632, 194984, 7272, 7264, 7344, 7400, 7656, 7640, 7648, 16, 7752, 0, 7768, 7760, 312, 0,
        8, 16, 72, 152, 160, 232, 32, 80, 8, 0, 56, 72, 70, 208, 112, 120, 128, 136, 68, 52, 96, 104, 200, 16, 8, 416, 24, 88,
        168, 32, 24, 16, 40, 24, 16, 48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40, 240, 200,
      ]
    ),
    (
      PythonVersion(3, 14),
      [
        0x030e_0af0, 0, 316616, 784, 808, 225864, 7280, 7272, 7344, 7360, 7408, 7688, 7672, 7680, 16, 7784, 0, 7800, 7792, 7992,
        0, 832, 0, 8, 16, 72, 152, 160, 232, 32, 88, 8, 0, 56, 80, 74, 64, 0, 216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0,
        16, 8, 416, 24, 88, 168, 40, 32, 16, 40, 24, 16, 200, 24, 40, 32, 48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32,
        16, 40, 264, 192,
      ]
    ),
    (
      PythonVersion(3, 15),
      [
        0x030f_02f0, 0, 346568, 912, 936, 226240, 7272, 7264, 7336, 7352, 7400, 7592, 7576, 7584, 16, 7736, 0, 7752, 7744, 7944,
        0, 888, 0, 8, 16, 72, 80, 88, 96, 176, 184, 256, 32, 36, 40, 136, 288, 0, 88, 8, 0, 56, 80, 74, 64, 0, 216, 112, 120,
        128, 136, 68, 52, 96, 104, 208, 0, 16, 8, 424, 24, 88, 168, 32, 288, 944, 888, 40, 32, 16, 40, 24, 16, 200, 24, 40, 32,
        48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40, 56, 176,
      ]
    ),
  ]

  static func bytes(_ numbers: [UInt64]) -> [UInt8] {
    var bytes = Array("xdebugpy".utf8)
    for number in numbers { bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64($0 * 8)) } }
    return bytes + [UInt8](repeating: 0, count: PythonLayout.debugOffsetsByteCount - bytes.count)
  }

  @Test("a build's own offsets are read in the order of its version", arguments: recorded.indices)
  func debugOffsets(_ index: Int) throws {
    let (version, numbers) = Self.recorded[index]
    let layout = try #require(PythonLayout(debugOffsets: Self.bytes(numbers)))
    #expect(layout.version == version)
    #expect(layout.style == .entryFrame)
    #expect(layout.code.file == 112 && layout.code.qualifiedName == 128 && layout.code.lineTable == 136)
    #expect(layout.code.instructions == (version.minor == 13 ? 200 : 208))
    #expect(layout.frame.previous == 8 && layout.frame.code == 0 && layout.frame.instruction == 56)
    #expect(layout.frame.entry == (version.minor == 13 ? 70 : 74))
    #expect(layout.thread.frame == 72 && layout.thread.id == (version.minor == 15 ? 176 : 152))
    #expect(layout.interpreterThreads == (version.minor == 15 ? 7336 : 7344))
    #expect(layout.bytesSize == 16 && layout.bytesData == 32 && layout.text.ascii == 40 && layout.text.state == 32)
  }

  @Test("offsets that no build has, and versions that are not known, are refused")
  func refusals() {
    let good = Self.recorded[0].numbers
    var other = good
    other[0] = 0x0311_00f0  // 3.17
    #expect(PythonLayout(debugOffsets: Self.bytes(other)) == nil)
    for index in [7, 8, 20, 22, 23, 28, 29, 30, 32, 34, 35, 36, 37, 38, 42] {
      other = good
      other[index] = 1 << 40
      #expect(PythonLayout(debugOffsets: Self.bytes(other)) == nil, "number \(index)")
    }
    let bytes = Self.bytes(good)
    for count in 0..<560 where PythonLayout(debugOffsets: Array(bytes.prefix(count))) != nil {
      Issue.record("read from \(count) bytes")
    }
  }

  @Test("every version with a table has all that the unwinder asks for within what it reads", arguments: 6...12)
  func tables(_ minor: Int) throws {
    let layout = try #require(PythonLayout.table(PythonVersion(3, UInt8(minor))))
    #expect(layout.code.byteCount <= Int(PYROREC_PYTHON_BYTES) && layout.frame.byteCount <= Int(PYROREC_PYTHON_BYTES))
    #expect(layout.code.cookie.allSatisfy { $0 % 8 == 0 && $0 + 8 <= layout.code.byteCount })
    #expect(layout.code.cookie.count <= Int(PYROREC_PYTHON_COOKIE_WORDS))
    #expect((layout.thread.frame == nil) != (layout.thread.cframe == nil))
  }

  @Test("versions are known from their hexadecimal number and from names of files")
  func versions() {
    #expect(PythonVersion(hexVersion: 0x030b_07f0) == PythonVersion(3, 11))
    #expect(PythonVersion(hexVersion: 0x0207_12f0) == nil)
    #expect(PythonVersion(hexVersion: 0x1_030b_07f0) == nil)
    #expect(PythonVersion(fileName: "/usr/lib/libpython3.8.so.1.0") == PythonVersion(3, 8))
    #expect(PythonVersion(fileName: "/opt/bin/python3.6m") == PythonVersion(3, 6))
    #expect(PythonVersion(fileName: "/opt/python3.9/bin/uwsgi") == nil)
    #expect(PythonVersion(fileName: "python3.999") == nil)
  }
}
