import ObjectFile

/// The code a signal handler returns to: it does nothing but call `rt_sigreturn`.
enum SignalTrampoline {
  /// mov $15, %rax; syscall
  private static let x86Long: [UInt8?] = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05]
  /// mov $15, %eax; syscall
  private static let x86Short: [UInt8?] = [0xb8, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05]
  /// mov x8, #139; svc #0
  private static let aarch64: [UInt8?] = [0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]

  /// Where the rule of a trampoline that ends at `end` ends. On aarch64 a timer that expired while the kernel entered a system call
  /// finds the thread behind its last instruction, before the kernel has noted that it is in a system call.
  static func end(ofRuleFor end: UInt64, _ machine: ElfMachine, _ code: CodeImage) -> UInt64 {
    let (behind, overflow) = end.addingReportingOverflow(4)
    return machine == .aarch64 && !overflow && code.contains(end, behind) ? behind : end
  }

  static func begins(at address: UInt64, _ code: CodeImage) -> Bool {
    code.matches(x86Long, at: address) || code.matches(x86Short, at: address) || code.matches(aarch64, at: address)
  }
}
