public import Base

/// What the first frame of a segment says of the whole recording.
public struct SegmentHeader: Hashable, Sendable {
  public var version: FormatVersion
  /// 16 random bytes.
  public var traceID: [UInt8]
  public var anchor: ClockAnchor
  /// `uname`: machine (`x86_64`), release and version of the kernel, and the host's name.
  public var machine: String
  public var kernelRelease: String
  public var kernelVersion: String
  public var hostName: String
  public var cpuCount: UInt32
  /// Of the recorder that wrote the segment.
  public var recorderVersion: String
  /// What the recorder was able to do and what it was asked for, by name, sorted: `event`, `unwinder`, `images`, ….
  public var abilities: [Ability]

  public struct Ability: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  public init(
    version: FormatVersion = .current, traceID: [UInt8], anchor: ClockAnchor, machine: String, kernelRelease: String,
    kernelVersion: String, hostName: String, cpuCount: UInt32, recorderVersion: String, abilities: [Ability]
  ) {
    self.version = version
    self.traceID = traceID
    self.anchor = anchor
    self.machine = machine
    self.kernelRelease = kernelRelease
    self.kernelVersion = kernelVersion
    self.hostName = hostName
    self.cpuCount = cpuCount
    self.recorderVersion = recorderVersion
    self.abilities = abilities
  }
}

/// The format's version: a reader refuses a newer major one and skips what a newer minor one added.
public struct FormatVersion: Hashable, Comparable, Sendable {
  public var major: UInt16
  public var minor: UInt16
  public init(major: UInt16, minor: UInt16) {
    self.major = major
    self.minor = minor
  }
  /// What this package writes.
  public static let current = FormatVersion(major: 1, minor: 0)
  public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
}

extension FormatVersion: CustomStringConvertible { public var description: String { "\(major).\(minor)" } }
