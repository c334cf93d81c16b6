import CLibBPF
import CRecorderABI
