import Base
import Testing

@testable import Recorder

/// Types as Documentation/bpf/btf.rst lays them out; numbered from 1 in the order they are added.
private struct HandMadeTypes {
  private var types = ByteWriter()
  private var names = ByteWriter()

  init() { names.write(UInt8(0)) }

  private mutating func name(_ text: String) -> UInt32 {
    guard !text.isEmpty else { return 0 }
    defer {
      names.append(utf8: text)
      names.write(UInt8(0))
    }
    return UInt32(names.count)
  }

  mutating func add(_ text: String, kind: UInt32, count: Int = 0, size: UInt32, _ rest: [(name: String, words: [UInt32])] = []) {
    types.write(name(text))
    types.write(kind << 24 | UInt32(count))
    types.write(size)
    for part in rest {
      types.write(name(part.name))
      for word in part.words { types.write(word) }
    }
  }
  mutating func integer(_ text: String, size: UInt32) {
    add(text, kind: 1, size: size)
    types.write(size * 8)  // no sign, offset 0, all bits
  }
  mutating func array(of element: UInt32, by index: UInt32, count: UInt32) {
    add("", kind: 3, size: 0)
    for word in [element, index, count] { types.write(word) }
  }
  /// - Parameter members: a name, a type, a place in bits.
  mutating func structure(_ text: String, size: UInt32, _ members: [(String, UInt32, UInt32)], kind: UInt32 = 4) {
    add(text, kind: kind, count: members.count, size: size, members.map { ($0.0, [$0.1, $0.2]) })
  }
  mutating func enumeration(_ text: String, _ values: [(String, UInt32)]) {
    add(text, kind: 6, count: values.count, size: 4, values.map { ($0.0, [$0.1]) })
  }

  var bytes: [UInt8] {
    var whole = ByteWriter()
    whole.write(UInt16(0xeb9f))  // magic
    whole.write(UInt16(1))  // version 1, no flags
    for word in [24, 0, types.count, types.count, names.count] { whole.write(UInt32(word)) }
    whole.append(types.bytes)
    whole.append(names.bytes)
    return whole.bytes
  }

  /// A kernel of few types; the wanted ones stand among others.
  static func kernel() -> HandMadeTypes {
    var types = HandMadeTypes()
    types.integer("unsigned long", size: 8)  // 1
    types.add("u64", kind: 8, size: 1)  // 2: typedef
    types.structure("list_head", size: 16, [("next", 4, 0)])  // 3
    types.add("", kind: 2, size: 3)  // 4: pointer
    types.structure("thread_struct", size: 8, [("fsbase", 1, 0)])  // 5
    types.structure("", size: 8, [("cs", 2, 0)], kind: 5)  // 6: nameless union
    types.structure("pt_regs", size: 16, [("ip", 1, 0), ("", 6, 64), ("regs", 12, 128)])  // 7
    types.structure("task_struct", size: 48, [("tasks", 3, 0), ("group_leader", 4, 128), ("start_boottime", 2, 192), ("thread", 5, 256)])
    types.structure("task_struct_more", size: 8, [("of", 2, 0)])  // 9
    types.structure("vm_unmapped_area_info", size: 8, [("length", 2, 0)])  // 10
    types.enumeration("bpf_func_id", [("BPF_FUNC_unspec", 0), ("BPF_FUNC_get_current_task_btf", 158)])  // 11
    types.array(of: 2, by: 1, count: 31)  // 12
    return types
  }
}

/// A span cannot stand in an expectation.
private func excerpt(of bytes: [UInt8]) -> [UInt8]? { KernelTypeExcerpt.make(from: bytes.borrowedBytes) }

@Test("The excerpt of the kernel's types has the structures that are asked for, and of others nothing")
func excerptOfKernelTypes() {
  var expected = HandMadeTypes()
  expected.structure("thread_struct", size: 8, [("fsbase", 6, 0)])
  expected.structure("pt_regs", size: 16, [("ip", 6, 0), ("", 7, 64), ("regs", 8, 128)])
  expected.structure("task_struct", size: 48, [("tasks", 0, 0), ("group_leader", 9, 128), ("start_boottime", 6, 192), ("thread", 1, 256)])
  expected.structure("vm_unmapped_area_info", size: 8, [("length", 6, 0)])
  expected.enumeration("bpf_func_id", [("BPF_FUNC_unspec", 0), ("BPF_FUNC_get_current_task_btf", 158)])
  expected.integer("unsigned long", size: 8)
  expected.structure("", size: 8, [("cs", 6, 0)], kind: 5)
  expected.array(of: 6, by: 6, count: 31)
  expected.add("", kind: 2, size: 0)
  #expect(excerpt(of: HandMadeTypes.kernel().bytes) == expected.bytes)
}

@Test("There is no excerpt of types that are cut or that lack one that is asked for")
func noExcerptOfDamagedTypes() {
  let whole = HandMadeTypes.kernel().bytes
  for count in 0..<whole.count {
    let cut = Array(whole.prefix(count))
    #expect(excerpt(of: cut) == nil)
  }
  var without = HandMadeTypes()
  without.structure("task_struct", size: 8, [])
  #expect(excerpt(of: without.bytes) == nil)
}

@Test("Damaged types give some excerpt or none")
func excerptOfAnyBytes() {
  let whole = HandMadeTypes.kernel().bytes
  var kept = 0
  for index in whole.indices {
    for value: UInt8 in [0, 0x7f, 0xff] {
      var damaged = whole
      damaged[index] = value
      if let found = excerpt(of: damaged) { kept += found.isEmpty ? 0 : 1 }
    }
  }
  #expect(kept > 0)
}

@Test("The excerpt of an excerpt is the same")
func excerptOfAnExcerpt() throws {
  let made = excerpt(of: HandMadeTypes.kernel().bytes)
  let once = try #require(made)
  #expect(excerpt(of: once) == once)
}
