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
  public static let current = FormatVersion(major: 1, minor: 2)
  public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
}

extension FormatVersion: CustomStringConvertible { public var description: String { "\(major).\(minor)" } }

extension SegmentHeader {
  /// `PYROREC` and a NUL: the first bytes of the first frame's payload, at offset 8 of the file.
  static let magic: [UInt8] = [0x50, 0x59, 0x52, 0x4f, 0x52, 0x45, 0x43, 0x00]
  static let traceIDByteCount = 16

  /// The payload of the header's frame, with its checksum at the end.
  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.append(Self.magic)
    writer.write(version.major)
    writer.write(version.minor)
    // A longer or shorter one is our own mistake; the reader must find sixteen bytes whatever it was given.
    writer.append(Array((traceID + [UInt8](repeating: 0, count: Self.traceIDByteCount)).prefix(Self.traceIDByteCount)))
    writer.write(anchor.monotonic.nanoseconds)
    writer.write(anchor.unix.nanoseconds)
    writer.write(anchor.bootNanoseconds)
    writer.write(cpuCount)
    writer.text(machine)
    writer.text(kernelRelease)
    writer.text(kernelVersion)
    writer.text(hostName)
    writer.text(recorderVersion)
    writer.number(UInt64(abilities.count))
    for ability in abilities {
      writer.text(ability.name)
      writer.text(ability.value)
    }
    writer.write(CRC32.of(writer.bytes.borrowedBytes))
    return writer.bytes
  }

  /// Whether `bytes` begin as a header's payload does, whatever its version.
  static func isHeader(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

  /// Reads a payload whose first bytes are `magic`. A newer major version is told by its number alone.
  init(payload: [UInt8]) throws(HeaderProblem) {
    do {
      var cursor = ByteCursor(payload.borrowedBytes)
      try cursor.skip(Self.magic.count, "header.magic")
      version = FormatVersion(major: try cursor.read("header.major"), minor: try cursor.read("header.minor"))
      guard payload.count >= 4 else { throw HeaderProblem.damaged("too short") }
      let body = payload.borrowedBytes.extracting(0..<(payload.count - 4))
      var tail = ByteCursor(payload.borrowedBytes.extracting((payload.count - 4)..<payload.count))
      guard CRC32.of(body) == (try tail.read("header.crc32")) else {
        throw HeaderProblem.damaged("its checksum does not match")
      }
      // What comes before and the checksum at the end stay where they are in every version; the rest may not.
      guard version.major <= FormatVersion.current.major else { throw HeaderProblem.newer(version) }
      traceID = try cursor.take(Self.traceIDByteCount, "header.trace_id").copied()
      let monotonic = MonotonicInstant(nanoseconds: try cursor.read("header.monotonic"))
      let unix = UnixInstant(nanoseconds: try cursor.read("header.unix"))
      anchor = ClockAnchor(monotonic: monotonic, unix: unix, bootNanoseconds: try cursor.read("header.boot"))
      cpuCount = try cursor.read("header.cpu_count")
      machine = try cursor.text("header.machine")
      kernelRelease = try cursor.text("header.kernel_release")
      kernelVersion = try cursor.text("header.kernel_version")
      hostName = try cursor.text("header.host_name")
      recorderVersion = try cursor.text("header.recorder_version")
      abilities = []
      for _ in 0..<(try cursor.count("header.ability_count")) {
        let name = try cursor.text("header.ability_name")
        abilities.append(Ability(name: name, value: try cursor.text("header.ability_value")))
      }
    } catch let problem as HeaderProblem {
      throw problem
    } catch let malformed as MalformedInput {
      throw .damaged(malformed.description)
    } catch {
      throw .damaged("\(error)")
    }
  }
}

/// Why a header's payload does not read.
enum HeaderProblem: Error {
  case newer(FormatVersion)
  case damaged(String)
}
