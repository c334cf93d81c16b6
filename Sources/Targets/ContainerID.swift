/// The id of the container that a process runs in, as its cgroup paths tell.
package enum ContainerID {
  private static let dockerLength = 64
  private static let ecsLength = 32

  /// Looks through the text of `/proc/PID/cgroup`, cgroup v1, v2 or both.
  ///
  /// An id is 64 lower case hexadecimal digits, or 32 and `-` and digits (an ECS task), anywhere in a path: alone, after
  /// a prefix that ends in `-` or `:` (`docker-`, `cri-containerd:`), before `.scope`, and also with further components
  /// behind it (systemd inside a container). The last such component of a path wins, the first line that has one decides.
  package static func find(inCgroupFile text: String) -> String? {
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      // NUMBER:CONTROLLERS:PATH
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if let found = find(inPath: fields[2]) { return found }
    }
    return nil
  }

  private static func find(inPath path: Substring.UTF8View) -> String? {
    for component in path.split(separator: UInt8(ascii: "/")).reversed() {
      if let found = identifier(in: Array(component)) { return found }
    }
    return nil
  }

  private static func identifier(in component: [UInt8]) -> String? {
    var name = component[...]
    for suffix in [".scope", ".service", ".slice"]
    where name.count > suffix.utf8.count && name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
      name = name.dropLast(suffix.utf8.count)
    }
    // From the longest tail down: what stands before the id must end in `-` or `:`.
    for start in name.indices where start == name.startIndex || name[start - 1] == 0x2d || name[start - 1] == 0x3a {
      let tail = name[start...]
      if tail.count == dockerLength, tail.allSatisfy(isHex) { return String(decoding: tail, as: UTF8.self) }
      if tail.count > ecsLength + 1, tail.prefix(ecsLength).allSatisfy(isHex), tail[tail.startIndex + ecsLength] == 0x2d,
        tail.dropFirst(ecsLength + 1).allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
      {
        return String(decoding: tail, as: UTF8.self)
      }
    }
    return nil
  }

  private static func isHex(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) }
}
