import Testing

@testable import Recorder

struct ProcessMapsTests {
  @Test func `only executable lines count, and a path keeps its blanks`() {
    let text = """
      55d0c0a00000-55d0c0a28000 r--p 00000000 fe:01 1312 /usr/bin/some program
      55d0c0a28000-55d0c0b00000 r-xp 00028000 fe:01 1312                       /usr/bin/some program (deleted)
      7ffd1a9d2000-7ffd1a9d4000 r-xp 00000000 00:00 0                          [vdso]
      7f0000000000-7f0000001000 rwxp 00000000 00:00 0
      nonsense
      zzzz-7f0000001000 r-xp 00000000 00:00 0 /x

      """
    let maps = ProcessMap.executable(in: Array(text.utf8))
    #expect(maps.map(\.path) == ["/usr/bin/some program (deleted)", "[vdso]", ""])
    #expect(
      maps.first
        == ProcessMap(
          start: 0x55d0_c0a2_8000, end: 0x55d0_c0b0_0000, protection: 5, fileOffset: 0x28000, device: 0xfe << 32 | 1,
          inode: 1312, path: "/usr/bin/some program (deleted)"))
    #expect(maps.last?.protection == 7)
  }

  @Test func `a line cut at any length gives a map or nothing`() {
    let line = Array("55d0c0a28000-55d0c0b00000 r-xp 00028000 fe:01 1312 /usr/bin/x".utf8)
    for length in 0..<line.count { #expect(ProcessMap.executable(in: Array(line.prefix(length))).count <= 1) }
  }
}
