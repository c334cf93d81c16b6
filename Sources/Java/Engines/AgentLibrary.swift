import Base

/// An async-profiler library of the user's, and what is known of it before any JVM loads it.
package struct AgentLibrary: Hashable, Sendable {
  package let path: String
  package let bytes: [UInt8]
  /// `[4, 5]` for 4.5; empty when the file does not say.
  package let version: [Int]

  private static let byteLimit = 64 << 20
  /// Releases of today hold `async-profiler 4.5`; distributors' older builds hold nothing.
  private static let mark = Array("async-profiler ".utf8)

  package init(path: String) throws(JavaError) {
    do throws(SystemCallError) { bytes = try contents(of: path, limit: Self.byteLimit) } catch { throw .system(error) }
    guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { throw .refused(command: path, status: 0, text: "is no shared library") }
    self.path = path
    version = Self.version(in: bytes)
  }

  private static func version(in bytes: [UInt8]) -> [Int] {
    var place = 0
    while place + mark.count < bytes.count {
      defer { place += 1 }
      guard bytes[place] == mark[0], bytes[place..<(place + mark.count)].elementsEqual(mark) else { continue }
      let text = bytes[(place + mark.count)...].prefix(16).prefix { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2e }
      let numbers = String(decoding: text, as: UTF8.self).split(separator: ".").compactMap { Int($0) }
      if numbers.count > 1 { return numbers }
    }
    return []
  }

  package var versionText: String { version.isEmpty ? "unknown (taken as 3.0)" : version.map(String.init).joined(separator: ".") }

  /// Why it must not be loaded into a JVM of this version, which it might end; `nil` when it may.
  ///
  /// Its release notes name JDK 23 from 4.0 on, JDK 25 from 4.1 on, JDK 27 from 4.5 on.
  package func problem(forJDK feature: Int?) -> String? {
    guard let feature else { return "the JVM's version is not known, and a library that does not fit would end it" }
    let own = version.isEmpty ? [3, 0] : version
    for (from, needed) in [(27, [4, 5]), (25, [4, 1]), (23, [4, 0])] where feature >= from {
      guard own.lexicographicallyPrecedes(needed) else { return nil }
      return "version \(versionText) does not know JDK \(feature), which needs \(needed.map(String.init).joined(separator: ".")) or later"
    }
    return nil
  }
}
