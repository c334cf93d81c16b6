import Base
import Java
import Testing

@Suite struct `performance data` {
  private static func little(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }

  /// One entry of type `B`.
  private static func text(_ name: String, _ value: String) -> [UInt8] {
    let nameBytes = Array(name.utf8) + [0]
    let valueBytes = Array(value.utf8) + [0]
    let dataOffset = 20 + nameBytes.count
    return little(UInt32(dataOffset + valueBytes.count)) + little(20) + little(UInt32(valueBytes.count))
      + [UInt8(ascii: "B"), 0, 0, 0] + little(UInt32(dataOffset)) + nameBytes + valueBytes
  }

  private static func file(_ entries: [[UInt8]]) -> [UInt8] {
    [0xca, 0xfe, 0xc0, 0xc0]  // magic
      + [1, 2, 0, 1]  // little-endian, version 2.0, accessible
      + little(0) + little(0) + little(0) + little(0)  // used, overflow, mod_time_stamp
      + little(32) + little(UInt32(entries.count)) + entries.flatMap { $0 }
  }

  private static let whole = file([
    text("java.property.java.version", "17.0.21"), text("sun.rt.jvmCapabilities", "1000"),
    text("java.rt.vmArgs", "-Xmx1g -XX:-EnableDynamicAgentLoading"), text("sun.rt.javaCommand", "app.jar größe"),
  ])

  private func read(_ bytes: [UInt8]) throws(MalformedInput) -> PerformanceData { try PerformanceData(bytes.borrowedBytes) }

  @Test func `names and values are read`() throws {
    let data = try read(Self.whole)
    #expect(data.version == "17.0.21")
    #expect(data.feature == 17)
    #expect(data.command == "app.jar größe")
    #expect(data.allowsAttach == true)
    #expect(!data.allowsAgents)
  }

  @Test func `a file cut at any length is refused or gives what was whole`() {
    for count in 0..<Self.whole.count {
      do throws(MalformedInput) {
        let data = try read(Array(Self.whole[..<count]))
        Issue.record("\(count) of \(Self.whole.count) bytes were taken as whole: \(data)")
      } catch {}
    }
  }

  @Test func `an entry of length 0 ends the reading instead of repeating it`() {
    var bytes = Self.whole
    bytes.replaceSubrange(32..<36, with: [0, 0, 0, 0])
    #expect(throws: MalformedInput.self) { try read(bytes) }
  }

  @Test func `a value that reaches out of its entry is refused, so that all together are no more than the file`() {
    var entry = Self.text("java.rt.vmArgs", "-Xmx1g")
    entry.replaceSubrange(8..<12, with: Self.little(4000))  // vector_length
    let bytes = Self.file([entry]) + [UInt8](repeating: 0x61, count: 8000)
    #expect(throws: MalformedInput.self) { try read(bytes) }
  }

  @Test func `attaching may be disabled, or not be said`() throws {
    #expect(try read(Self.file([Self.text("sun.rt.jvmCapabilities", "0000")])).allowsAttach == false)
    #expect(try read(Self.file([])).allowsAttach == nil)
  }

  @Test(arguments: [("1.8.0_402", 8), ("11.0.2", 11), ("17", 17), ("25-ea", 25), ("25.0.3+9", 25)])
  func `a version's first number is the JDK's, but for 1.8`(_ text: String, _ feature: Int) {
    #expect(PerformanceData.feature(of: text) == feature)
  }
}
