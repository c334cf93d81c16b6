import Base
import ObjectFile

/// The code of a file: where it lies, and its bytes.
///
/// Whatever claims to lie elsewhere is no function of the file.
struct CodeImage: Sendable {
  private struct Segment {
    var start: UInt64
    var end: UInt64
    /// The bytes from here on are not in the file.
    var fileEnd: UInt64
    var fileOffset: UInt64
  }
  /// Of image addresses between a file's lowest and highest code: 16 GiB, for 1 MiB of index.
  static let maximumPageCount: UInt64 = 1 << 18

  let bytes: FrameBytes
  private var segments: [Segment] = []

  /// - Parameter bytes: the whole file.
  init(_ elf: borrowing ElfFile, _ bytes: FrameBytes) {
    self.bytes = bytes
    let loads = elf.segments.filter { $0.kind == .load && $0.isExecutable && $0.memoryByteCount > 0 }
    guard let lowest = loads.map(\.address.rawValue).min(), lowest < UInt64(Int64.max) else { return }
    let reach = (lowest >> UnwindTable.pageBits + Self.maximumPageCount) << UnwindTable.pageBits
    for load in loads where load.address.rawValue < reach {
      guard let end = load.address.adding(load.memoryByteCount) else { continue }
      let start = load.address.rawValue
      let offset = load.fileOffset.rawValue
      let present = offset < UInt64(bytes.count) ? min(load.fileByteCount, UInt64(bytes.count) - offset) : 0
      segments.append(
        Segment(
          start: start, end: min(end.rawValue, reach), fileEnd: min(start &+ present, end.rawValue, reach), fileOffset: offset))
    }
  }

  @inline(__always) func contains(_ start: UInt64, _ end: UInt64) -> Bool {
    for segment in segments where start >= segment.start && end <= segment.end { return start < end }
    return false
  }

  /// Whether the file has the bytes of all of `[start, end)`, and they are code.
  @inline(__always) func hasBytes(_ start: UInt64, _ end: UInt64) -> Bool {
    for segment in segments where start >= segment.start && end <= segment.fileEnd { return start < end }
    return false
  }

  /// Where the code ends that the file has from `address` on; 0 when it has none.
  func end(ofStretchAt address: UInt64) -> UInt64 {
    for segment in segments where address >= segment.start && address < segment.fileEnd { return segment.fileEnd }
    return 0
  }

  /// The integer at an address; 0 when the file has no bytes there.
  @inline(__always) func load<Value: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as type: Value.Type) -> Value {
    guard let offset = fileOffset(address) else { return 0 }
    return bytes.load(offset, as: Value.self)
  }

  /// Where in the file the byte at an address is.
  func offset(of address: UInt64) -> Int? { fileOffset(address) }

  private func fileOffset(_ address: UInt64) -> Int? {
    for segment in segments where address >= segment.start && address < segment.fileEnd {
      return Int(exactly: segment.fileOffset &+ (address &- segment.start))
    }
    return nil
  }

  /// Whether the bytes from `address` on are those of the pattern; `nil` in it stands for any byte.
  func matches(_ pattern: [UInt8?], at address: UInt64) -> Bool {
    for (index, expected) in pattern.enumerated() {
      guard let expected else { continue }
      let place = address &+ UInt64(index)
      guard let offset = fileOffset(place), bytes.load(offset, as: UInt8.self) == expected else { return false }
    }
    return true
  }

  /// The places of all code the file has bytes of: its first address, its place in the file, its length.
  var stretches: [(address: UInt64, fileOffset: Int, byteCount: Int)] {
    segments.compactMap { segment in
      guard let offset = Int(exactly: segment.fileOffset), segment.fileEnd > segment.start else { return nil }
      return (segment.start, offset, Int(segment.fileEnd - segment.start))
    }
  }
}
