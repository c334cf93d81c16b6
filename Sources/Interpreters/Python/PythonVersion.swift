/// A minor version of CPython: 3.11.
package struct PythonVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var major: UInt8
  package var minor: UInt8

  package init(_ major: UInt8, _ minor: UInt8) {
    self.major = major
    self.minor = minor
  }
  package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
  package var description: String { "\(major).\(minor)" }

  /// From `Py_Version` or the version of `_Py_DebugOffsets`: 0x030b07f0 is 3.11.7.
  package init?(hexVersion: UInt64) {
    guard hexVersion >> 32 == 0 else { return nil }
    self.init(UInt8(truncatingIfNeeded: hexVersion >> 24), UInt8(truncatingIfNeeded: hexVersion >> 16))
    guard major == 3 else { return nil }
  }

  /// From a file's name: `libpython3.8.so.1.0`, `python3.6m`.
  package init?(fileName path: String) {
    let name = path.split(separator: "/").last ?? ""
    guard let range = name.firstRange(of: "python3.") else { return nil }
    let digits = name[range.upperBound...].prefix { $0.isASCII && $0.isNumber }
    guard let minor = UInt8(digits) else { return nil }
    self.init(3, minor)
  }
}
