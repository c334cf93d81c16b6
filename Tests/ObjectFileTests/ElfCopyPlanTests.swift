import Base
import ObjectFile
import Testing

@Suite struct ElfCopyPlanTests {
  private func plan(_ bytes: [UInt8], _ mode: ElfCopyPlan.Mode = .symbols) -> ElfCopyPlan {
    ElfCopyPlan(byteCount: UInt64(bytes.count), mode: mode) { offset, count in
      guard offset.rawValue < UInt64(bytes.count) else { return [] }
      let start = Int(offset.rawValue)
      return Array(bytes[start..<min(bytes.count, start + count)])
    }
  }

  /// The file that extraction would write.
  private func copy(_ bytes: [UInt8], by plan: ElfCopyPlan) -> [UInt8] {
    var copy = [UInt8](repeating: 0, count: bytes.count)
    for extent in plan.extents {
      let start = Int(extent.fileOffset.rawValue)
      var chunk = Array(bytes[start..<(start + Int(extent.byteCount))])
      plan.applyPatches(to: &chunk, at: extent.fileOffset)
      copy.replaceSubrange(start..<(start + chunk.count), with: chunk)
    }
    return copy
  }

  private func check(_ plan: ElfCopyPlan, of byteCount: Int) {
    var end: UInt64 = 0
    for (index, extent) in plan.extents.enumerated() {
      #expect(extent.byteCount > 0)
      #expect(index == 0 || extent.fileOffset.rawValue > end)
      end = extent.fileOffset.rawValue + extent.byteCount
      #expect(end <= UInt64(byteCount))
    }
  }

  @Test func `what is no ELF file has an empty plan`() {
    let plan = plan(Array("#!/bin/sh\n".utf8))
    #expect(!plan.isELF)
    #expect(plan.extents.isEmpty)
    #expect(ElfIdentification(prefix: [0x7f, 0x45, 0x4c, 0x46, 2, 2, 1].borrowedBytes) == .unsupported)
  }
}
