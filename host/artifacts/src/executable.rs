//! What the system runs as it is.
//!
//! A file that it does not know, `execvp(3)` gives to /bin/sh, which runs it line by line, whatever
//! it is: a list of settings, or a program for another machine. So it is looked at before.

/// How much of the beginning of a file tells what it is, in bytes.
pub const EXECUTABLE_HEAD_BYTES: usize = 20;

/// What the kernel starts. Source: elf(5), execve(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Executable {
    /// An ELF file, and for which kind of machine (`e_machine`).
    Elf(u16),
    /// A script, whose first line says what runs it.
    Script,
}

/// Where an ELF file says in which order its bytes are, and the value for "the low ones first".
const ELF_DATA: (usize, u8) = (5, 1);
/// Where it says for which machine it is.
const ELF_MACHINE: std::ops::Range<usize> = 18..20;

impl Executable {
    /// What a file is that begins with these bytes; `None` for what the kernel does not start.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"#!") {
            return Some(Self::Script);
        }
        let machine = head.strip_prefix(b"\x7fELF").and_then(|_| head.get(ELF_MACHINE))?;
        let machine = <[u8; 2]>::try_from(machine).ok()?;
        let is_little = head.get(ELF_DATA.0) == Some(&ELF_DATA.1);
        let read = if is_little { u16::from_le_bytes } else { u16::from_be_bytes };
        Some(Self::Elf(read(machine)))
    }

    /// False for an ELF file that no machine of this architecture runs, named as Rust does. Of
    /// architectures that are not known here nothing is said.
    #[must_use]
    pub fn runs_on(self, arch: &str) -> bool {
        let Self::Elf(machine) = self else { return true };
        // The second of each is its 32-bit form, which most kernels run as well.
        let machines: &[u16] = match arch {
            "x86_64" => &[62, 3],
            "aarch64" => &[183, 40],
            "riscv64" | "riscv32" => &[243],
            _ => return true,
        };
        machines.contains(&machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(data: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut head = b"\x7fELF\x02".to_vec();
        head.push(data);
        head.resize(ELF_MACHINE.start, 0);
        head.extend(machine);
        head
    }

    #[test]
    fn only_what_the_kernel_starts_is_a_program() {
        assert_eq!(Executable::of(b"#!/bin/sh\n"), Some(Executable::Script));
        assert_eq!(Executable::of(&elf(1, [62, 0])), Some(Executable::Elf(62)));
        assert_eq!(Executable::of(&elf(2, [0, 22])), Some(Executable::Elf(22)));
        for no in [&b""[..], b"#", b"rm -rf /\n", b" #!/bin/sh", b"\x7fELF", b"MZ", b"\0asm"] {
            assert_eq!(Executable::of(no), None, "{no:?}");
        }
        assert_eq!(Executable::of(&elf(1, [62, 0])[..EXECUTABLE_HEAD_BYTES - 1]), None);
    }

    #[test]
    fn one_for_another_machine_does_not_run_here() {
        let own = std::fs::read("/proc/self/exe").expect("this program");
        let own = Executable::of(&own).expect("it runs");
        assert!(own.runs_on(std::env::consts::ARCH));
        for (machine, arch, runs) in [
            (62, "x86_64", true),
            (3, "x86_64", true),
            (183, "x86_64", false),
            (62, "aarch64", false),
            (40, "aarch64", true),
            (62, "s390x", true),
        ] {
            assert_eq!(Executable::Elf(machine).runs_on(arch), runs, "{machine} on {arch}");
        }
        assert!(Executable::Script.runs_on("aarch64"));
    }
}
