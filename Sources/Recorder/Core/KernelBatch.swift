package import TraceFormat

/// What one look at the kernel's buffers brought, and when: all that the recorder's logic knows of the kernel.
package struct KernelBatch: Hashable, Sendable {
  /// CLOCK_MONOTONIC ns just before the samples were read: everything older is in this batch or an earlier one. A look
  /// at process events alone has the time of the last batch with samples.
  package var time: UInt64
  /// `struct pyrorec_sample`s in ring-buffer order, each after its length in bytes as a little-endian 32-bit number.
  package var samples: [UInt8] = []
  /// perf records, one CPU's after another's. Read after `samples`, so whatever a sample needs is here.
  package var sideband: [UInt8] = []
  /// Losses since the last batch.
  package var losses: [LossRecord] = []

  package init(time: UInt64) { self.time = time }
}
