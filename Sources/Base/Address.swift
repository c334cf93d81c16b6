/// A position in one address space; `Space` keeps the three kinds from being mixed.
@frozen public struct Address<Space>: Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// `nil` when the sum does not fit in 64 bits, which a damaged file can ask for.
  @inlinable public func adding(_ bytes: UInt64) -> Self? {
    let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
    return overflow ? nil : Self(sum)
  }

  /// Bytes from `other` up to here; `nil` when `other` lies higher.
  @inlinable public func distance(from other: Self) -> UInt64? {
    rawValue >= other.rawValue ? rawValue &- other.rawValue : nil
  }

  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension Address: CustomStringConvertible {
  public var description: String { "0x" + String(rawValue, radix: 16) }
}

public enum InFile: Sendable {}
public enum InImage: Sendable {}
public enum InProcess: Sendable {}

/// Bytes from the first byte of a file.
public typealias FileOffset = Address<InFile>
/// A virtual address as the ELF image states it: `p_vaddr`, `st_value`, `DW_AT_low_pc`.
public typealias ImageAddress = Address<InImage>
/// A virtual address inside one running process, after load bias.
public typealias ProcessAddress = Address<InProcess>

/// A half-open range of addresses of one space; never negative.
@frozen public struct AddressRange<Space>: Hashable, Sendable {
  public let start: Address<Space>
  /// One past the last address.
  public let end: Address<Space>

  /// `nil` when `end` lies below `start`.
  @inlinable public init?(start: Address<Space>, end: Address<Space>) {
    guard start <= end else { return nil }
    self.start = start
    self.end = end
  }

  @inlinable public var byteCount: UInt64 { end.rawValue &- start.rawValue }
  @inlinable public func contains(_ address: Address<Space>) -> Bool { start <= address && address < end }
}

/// A code address and how it was found, which decides where to look it up.
public enum CodeAddress: Hashable, Sendable {
  case instruction(ProcessAddress)
  case returnAddress(ProcessAddress)

  /// A return address names the instruction after the call, which may belong to the next function:
  /// one byte earlier is always inside the call.
  public var forLookup: ProcessAddress {
    switch self {
    case .instruction(let address): address
    case .returnAddress(let address): ProcessAddress(address.rawValue == 0 ? 0 : address.rawValue &- 1)
    }
  }
}
