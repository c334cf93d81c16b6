/// Hands out runs of neighbouring places in an array of fixed size: the lowest that fits first.
package struct ExtentAllocator {
  package struct Extent: Hashable, Sendable {
    package var first: Int
    package var count: Int
    package var end: Int { first + count }
  }

  /// Ascending; neighbours are one, unless a boundary lies between them.
  private var free: [Extent]
  private let boundary: Int
  package private(set) var freeCount: Int

  /// - Parameter boundary: no extent crosses a multiple of it.
  package init(count: Int, boundary: Int = .max) {
    self.boundary = boundary
    freeCount = count
    free = stride(from: 0, to: count, by: min(boundary, max(count, 1))).map {
      Extent(first: $0, count: min(boundary, count - $0))
    }
  }

  /// `nil` when nowhere so many lie together.
  package mutating func take(_ count: Int) -> Extent? {
    guard count > 0, let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
    let taken = Extent(first: free[index].first, count: count)
    free[index].first += count
    free[index].count -= count
    if free[index].count == 0 { free.remove(at: index) }
    freeCount -= count
    return taken
  }

  package mutating func give(_ extent: Extent) {
    guard extent.count > 0 else { return }
    freeCount += extent.count
    var low = 0
    var high = free.count
    while low < high {
      let middle = (low + high) / 2
      if free[middle].first < extent.first { low = middle + 1 } else { high = middle }
    }
    var merged = extent
    if low < free.count, merged.end == free[low].first, merged.end % boundary != 0 {
      merged.count += free[low].count
      free.remove(at: low)
    }
    if low > 0, free[low - 1].end == merged.first, merged.first % boundary != 0 {
      free[low - 1].count += merged.count
    } else {
      free.insert(merged, at: low)
    }
  }
}
