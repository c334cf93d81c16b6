import Base
package import Symbolize
package import TraceFormat

/// Which recorded processes had an image mapped: by their root directories its path means what it meant.
package struct ImageUsers: Sendable {
  /// Of each mount namespace and image at most so many processes are kept: some of them may have ended.
  private static let maximumPerNamespace = 4
  private static let maximumPerImage = 16

  private var users: [ImageIdentity: [ProcessRecord]] = [:]

  package init(_ contents: TraceContents) {
    var counts: [ImageIdentity: [UInt64: Int]] = [:]
    var seen: Set<UInt64> = []
    for (_, space) in contents.spaces.sorted(by: { $0.key < $1.key }) {
      guard let process = contents.processes[space.process], !process.isKernelThread else { continue }
      let namespace = process.mountNamespace ?? 0
      for mapping in space.mappings {
        guard seen.insert(UInt64(space.process) << 32 | UInt64(mapping.image)).inserted,
          let image = contents.images[mapping.image], image.kind == .file
        else { continue }
        let identity = image.identity
        guard users[identity, default: []].count < Self.maximumPerImage,
          counts[identity, default: [:]][namespace, default: 0] < Self.maximumPerNamespace
        else { continue }
        counts[identity, default: [:]][namespace, default: 0] += 1
        users[identity, default: []].append(process)
      }
    }
  }

  /// In the order of their address spaces.
  package func processes(mapping image: ImageIdentity) -> [ProcessRecord] { users[image] ?? [] }
}

extension ProcessRecord {
  /// The inode number of its mount namespace; `nil` when it was not known.
  package var mountNamespace: UInt64? { namespaces.first { $0.kind == "mnt" }?.inode }
}
