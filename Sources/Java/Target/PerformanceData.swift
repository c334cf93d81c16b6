package import Base

/// What a HotSpot JVM publishes of itself in `hsperfdata_USER/PID` (`perfMemory.hpp`, version 2.0): names and values.
package struct PerformanceData: Hashable, Sendable {
  package private(set) var texts: [String: String] = [:]
  package private(set) var numbers: [String: Int64] = [:]

  /// The JVM makes it 32 KiB unless told otherwise (`-XX:PerfDataMemorySize`).
  package static let byteLimit = 4 << 20
  private static let entryLimit = 1 << 14

  package init(_ bytes: RawSpan) throws(MalformedInput) {
    var header = ByteCursor(bytes)
    let magic: UInt32 = try header.read("magic")
    // Written as the bytes ca fe c0 c0, whatever the order of the rest.
    guard magic == 0xc0c0_feca else {
      throw MalformedInput(field: "magic", offset: FileOffset(0), problem: .inconsistent("is not cafec0c0"))
    }
    let order: UInt8 = try header.read("byte_order")
    guard order == 1 else { throw MalformedInput(field: "byte_order", offset: FileOffset(4), problem: .unsupported(value: UInt64(order))) }
    let major: UInt8 = try header.read("major_version")
    guard major == 2 else {
      throw MalformedInput(field: "major_version", offset: FileOffset(5), problem: .unsupported(value: UInt64(major)))
    }
    try header.skip(2, "minor_version, accessible")
    try header.skip(16, "used, overflow, mod_time_stamp")
    var offset: UInt32 = try header.read("entry_offset")
    let count: UInt32 = try header.read("num_entries")
    for _ in 0..<min(Int(count), Self.entryLimit) {
      var entry = ByteCursor(bytes)
      try entry.seek(to: UInt64(offset), "entry")
      let length: UInt32 = try entry.read("entry_length")
      let nameOffset: UInt32 = try entry.read("name_offset")
      let vectorLength: UInt32 = try entry.read("vector_length")
      let kind: UInt8 = try entry.read("data_type")
      try entry.skip(3, "flags, data_units, data_variability")
      let dataOffset: UInt32 = try entry.read("data_offset")
      guard length >= 20 else {
        throw MalformedInput(field: "entry_length", offset: FileOffset(UInt64(offset)), problem: .inconsistent("is \(length)"))
      }
      // Name and value lie in the entry: taken from anywhere, thousands of them could each be the whole file.
      try entry.seek(to: UInt64(offset), "entry")
      entry = ByteCursor(try entry.take(UInt64(length), "entry"))
      try entry.seek(to: UInt64(nameOffset), "name")
      let name = Self.text(try entry.cString("name"))
      try entry.seek(to: UInt64(dataOffset), "data")
      if kind == UInt8(ascii: "B"), vectorLength > 0 {
        let value = try entry.take(UInt64(vectorLength), "data")
        texts[name] = Self.text(value)
      } else if kind == UInt8(ascii: "J"), vectorLength == 0 {
        numbers[name] = try entry.read("data")
      }
      let next = offset.addingReportingOverflow(length)
      guard !next.overflow else { break }
      offset = next.partialValue
    }
  }

  /// Up to the first NUL.
  private static func text(_ bytes: RawSpan) -> String {
    var kept: [UInt8] = []
    for index in 0..<bytes.byteCount {
      guard let byte = bytes.byte(at: index), byte != 0 else { break }
      kept.append(byte)
    }
    return String(decoding: kept, as: UTF8.self)
  }

  package var virtualMachine: String { texts["java.property.java.vm.name"] ?? "" }
  package var version: String { texts["java.property.java.version"] ?? "" }
  package var vendor: String { texts["java.property.java.vm.vendor"] ?? "" }
  package var arguments: String { texts["java.rt.vmArgs"] ?? "" }
  package var flags: String { texts["java.rt.vmFlags"] ?? "" }
  /// The main class or archive, and what it was given.
  package var command: String { texts["sun.rt.javaCommand"] ?? "" }
  /// Whether the JVM says that it may be attached to; `nil` when it does not say.
  package var allowsAttach: Bool? { texts["sun.rt.jvmCapabilities"].flatMap(\.first).map { $0 == "1" } }
  /// `false` after `-XX:-EnableDynamicAgentLoading`.
  package var allowsAgents: Bool { !arguments.contains("-XX:-EnableDynamicAgentLoading") }

  /// 8 for `1.8.0_402`, 17 for `17.0.21`, 25 for `25-ea`.
  package static func feature(of version: String) -> Int? {
    let fields = version.split { !$0.isNumber }.compactMap { Int($0) }
    guard let first = fields.first else { return nil }
    return first == 1 && fields.count > 1 ? fields[1] : first
  }
  package var feature: Int? { Self.feature(of: version) }
}
