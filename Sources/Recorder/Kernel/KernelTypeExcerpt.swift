import Base

/// The few of the kernel's types that the sampler's relocations ask for, in the kernel's own format (BTF,
/// Documentation/bpf/btf.rst): some kilobytes for libbpf to read, where all the types are megabytes.
///
/// Structures are whole, with their members' names and places. Of what members are made of, those structures, nameless ones,
/// whole numbers and arrays are there; a pointer is one to anything, and the rest is `void`.
struct KernelTypeExcerpt: ~Escapable {
  /// The names that `bpf/include/kernel_types.h` gives them, without what follows `___`.
  private static let structures = ["task_struct", "thread_struct", "pt_regs", "vm_unmapped_area_info"]
  private static let enumerations = ["bpf_func_id"]
  private static let maximumTypes = 1 << 24

  /// BTF_KIND_…, linux/btf.h
  private enum Kind {
    static let integer: UInt32 = 1
    static let pointer: UInt32 = 2
    static let array: UInt32 = 3
    static let structure: UInt32 = 4
    static let union: UInt32 = 5
    static let enumeration: UInt32 = 6
    /// typedef, volatile, const, restrict; what they are of stands where others have their size.
    static let wrappers: Set<UInt32> = [8, 9, 10, 11, 18]

    /// Bytes that follow a type's three words; `nil` for a kind that is not known.
    static func tailByteCount(_ kind: UInt32, count: Int) -> Int? {
      switch kind {
      case 1, 14, 17: 4
      case 2, 7, 8, 9, 10, 11, 12, 16, 18: 0
      case 3: 12
      case 4, 5, 15, 19: count * 12
      case 6, 13: count * 8
      default: nil
      }
    }
  }
  /// `struct btf_type`: the offset of its name; how many parts (16 bits), its kind (5 bits from 24); size or type.
  private struct TypeHeader {
    var name: UInt32
    var info: UInt32
    var size: UInt32
    var kind: UInt32 { info >> 24 & 0x1f }
    var count: Int { Int(info & 0xffff) }
  }

  private let bytes: RawSpan
  private let names: RawSpan
  /// By type number; number 0 is `void`.
  private var offsets: [UInt32] = [0]
  /// What the excerpt has, in order: numbers of types there, 0 for the pointer. Their numbers here begin with 1.
  private var chosen: [UInt32] = []
  /// The other way round.
  private var numbers: [UInt32: UInt32] = [:]
  private var found: Set<String> = []
  private var types = ByteWriter(capacity: 1 << 14)
  private var texts = ByteWriter(capacity: 1 << 14)

  /// `nil` where one of them is missing or the format is not what it was: then libbpf reads everything, and says what it misses.
  static func make(from bytes: RawSpan) -> [UInt8]? {
    guard var excerpt = KernelTypeExcerpt(bytes) else { return nil }
    return excerpt.write()
  }

  @_lifetime(copy bytes)
  private init?(_ bytes: RawSpan) {
    // struct btf_header: magic, version, flags, its own length; where types and names begin behind it, and their lengths.
    guard bytes.integer(at: 0, as: UInt16.self) == 0xeb9f, let headerCount = bytes.integer(at: 4, as: UInt32.self),
      let typesStart = bytes.integer(at: 8, as: UInt32.self), let typesCount = bytes.integer(at: 12, as: UInt32.self),
      let namesStart = bytes.integer(at: 16, as: UInt32.self), let namesCount = bytes.integer(at: 20, as: UInt32.self)
    else { return nil }
    let start = Int(headerCount) + Int(typesStart)
    let end = start + Int(typesCount)
    let text = Int(headerCount) + Int(namesStart)
    guard end <= bytes.byteCount, text + Int(namesCount) <= bytes.byteCount else { return nil }
    self.bytes = bytes
    names = bytes.extracting(text..<(text + Int(namesCount)))
    offsets.reserveCapacity(Int(typesCount) / 16)
    var at = start
    while at < end {
      guard let type = header(at: at), let tail = Kind.tailByteCount(type.kind, count: type.count),
        offsets.count < Self.maximumTypes
      else { return nil }
      if type.kind == Kind.structure || type.kind == Kind.enumeration { chooseIfNamed(type, UInt32(offsets.count)) }
      offsets.append(UInt32(at))
      at += 12 + tail
    }
    let wanted = Self.structures + Self.enumerations
    guard at == end, wanted.allSatisfy(found.contains) else { return nil }
  }

  private func header(at offset: Int) -> TypeHeader? {
    guard let name = bytes.integer(at: offset, as: UInt32.self), let info = bytes.integer(at: offset + 4, as: UInt32.self),
      let size = bytes.integer(at: offset + 8, as: UInt32.self)
    else { return nil }
    return TypeHeader(name: name, info: info, size: size)
  }

  private func header(of number: UInt32) -> TypeHeader? {
    guard number > 0, number < offsets.count else { return nil }
    return header(at: Int(offsets[Int(number)]))
  }

  private mutating func chooseIfNamed(_ type: TypeHeader, _ number: UInt32) {
    for name in type.kind == Kind.structure ? Self.structures : Self.enumerations where isName(name, at: type.name) {
      found.insert(name)
      _ = choose(number)
    }
  }

  private func isName(_ name: String, at offset: UInt32) -> Bool {
    var at = Int(offset)
    for byte in name.utf8 {
      guard names.byte(at: at) == byte else { return false }
      at += 1
    }
    return names.byte(at: at) == 0
  }

  private mutating func choose(_ number: UInt32) -> UInt32 {
    if let known = numbers[number] { return known }
    chosen.append(number)
    numbers[number] = UInt32(chosen.count)
    return UInt32(chosen.count)
  }

  /// The number here of what a member is made of.
  private mutating func choose(member number: UInt32) -> UInt32 {
    var number = number
    // Wrappers wrap no more than there are kinds of them; whoever says otherwise is not believed.
    for _ in 0..<16 {
      guard let type = header(of: number) else { return 0 }
      switch type.kind {
      case _ where Kind.wrappers.contains(type.kind): number = type.size
      case Kind.pointer: return choose(0)
      case Kind.integer, Kind.array: return choose(number)
      case Kind.structure, Kind.union: return type.name == 0 ? choose(number) : numbers[number] ?? 0
      default: return 0
      }
    }
    return 0
  }

  private mutating func write() -> [UInt8]? {
    texts.write(UInt8(0))
    var next = 0
    while next < chosen.count {
      let number = chosen[next]
      next += 1
      if number == 0 {
        write(TypeHeader(name: 0, info: Kind.pointer << 24, size: 0))
        continue
      }
      guard let type = header(of: number) else { return nil }
      write(type)
      let tail = Int(offsets[Int(number)]) + 12
      if type.kind == Kind.integer {
        guard let encoding = bytes.integer(at: tail, as: UInt32.self) else { return nil }
        types.write(encoding)
        continue
      }
      if type.kind == Kind.array {
        // struct btf_array: what it is of, by what it is counted, how many.
        guard let element = bytes.integer(at: tail, as: UInt32.self), let index = bytes.integer(at: tail + 4, as: UInt32.self),
          let count = bytes.integer(at: tail + 8, as: UInt32.self)
        else { return nil }
        types.write(choose(member: element))
        types.write(choose(member: index))
        types.write(count)
        continue
      }
      // Enumerators are a name and a value, members a name, a type and a place in bits.
      let isEnumeration = type.kind == Kind.enumeration
      for index in 0..<type.count {
        let at = tail + index * (isEnumeration ? 8 : 12)
        guard let name = bytes.integer(at: at, as: UInt32.self), let second = bytes.integer(at: at + 4, as: UInt32.self)
        else { return nil }
        types.write(copied(name))
        types.write(isEnumeration ? second : choose(member: second))
        guard !isEnumeration else { continue }
        guard let place = bytes.integer(at: at + 8, as: UInt32.self) else { return nil }
        types.write(place)
      }
    }
    var whole = ByteWriter(capacity: 24 + types.count + texts.count)
    whole.write(UInt16(0xeb9f))
    whole.write(UInt16(1))
    for word in [24, 0, types.count, types.count, texts.count] { whole.write(UInt32(word)) }
    whole.append(types.bytes)
    whole.append(texts.bytes)
    return whole.bytes
  }

  private mutating func write(_ type: TypeHeader) {
    types.write(copied(type.name))
    types.write(type.info)
    types.write(type.size)
  }

  /// The name's offset here.
  private mutating func copied(_ name: UInt32) -> UInt32 {
    guard name != 0 else { return 0 }
    let offset = UInt32(texts.count)
    var at = Int(name)
    while let byte = names.byte(at: at), byte != 0 {
      texts.write(byte)
      at += 1
    }
    texts.write(UInt8(0))
    return offset
  }
}
