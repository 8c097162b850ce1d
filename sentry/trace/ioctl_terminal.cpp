// ioctl requests of terminals and pseudo-terminals.
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/kd.h>
#include <linux/tty.h>
#include <linux/vt.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/ioctl_entry.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kInputModes[] = {NAME(IGNBRK), NAME(BRKINT), NAME(IGNPAR), NAME(PARMRK),  NAME(INPCK),
                                NAME(ISTRIP), NAME(INLCR),  NAME(IGNCR),  NAME(ICRNL),   NAME(IUCLC),
                                NAME(IXON),   NAME(IXANY),  NAME(IXOFF),  NAME(IMAXBEL), NAME(IUTF8)};
constexpr Name kOutputModes[] = {MASKED_NAME(NL0, NLDLY),
                                 MASKED_NAME(NL1, NLDLY),
                                 MASKED_NAME(CR0, CRDLY),
                                 MASKED_NAME(CR1, CRDLY),
                                 MASKED_NAME(CR2, CRDLY),
                                 MASKED_NAME(CR3, CRDLY),
                                 MASKED_NAME(TAB0, TABDLY),
                                 MASKED_NAME(TAB1, TABDLY),
                                 MASKED_NAME(TAB2, TABDLY),
                                 MASKED_NAME(TAB3, TABDLY),
                                 MASKED_NAME(BS0, BSDLY),
                                 MASKED_NAME(BS1, BSDLY),
                                 MASKED_NAME(VT0, VTDLY),
                                 MASKED_NAME(VT1, VTDLY),
                                 MASKED_NAME(FF0, FFDLY),
                                 MASKED_NAME(FF1, FFDLY),
                                 NAME(OPOST),
                                 NAME(OLCUC),
                                 NAME(ONLCR),
                                 NAME(OCRNL),
                                 NAME(ONOCR),
                                 NAME(ONLRET),
                                 NAME(OFILL),
                                 NAME(OFDEL)};
constexpr Name kControlModes[] = {MASKED_NAME(B0, CBAUD),
                                  MASKED_NAME(B50, CBAUD),
                                  MASKED_NAME(B75, CBAUD),
                                  MASKED_NAME(B110, CBAUD),
                                  MASKED_NAME(B134, CBAUD),
                                  MASKED_NAME(B150, CBAUD),
                                  MASKED_NAME(B200, CBAUD),
                                  MASKED_NAME(B300, CBAUD),
                                  MASKED_NAME(B600, CBAUD),
                                  MASKED_NAME(B1200, CBAUD),
                                  MASKED_NAME(B1800, CBAUD),
                                  MASKED_NAME(B2400, CBAUD),
                                  MASKED_NAME(B4800, CBAUD),
                                  MASKED_NAME(B9600, CBAUD),
                                  MASKED_NAME(B19200, CBAUD),
                                  MASKED_NAME(B38400, CBAUD),
                                  MASKED_NAME(BOTHER, CBAUD),
                                  MASKED_NAME(B57600, CBAUD),
                                  MASKED_NAME(B115200, CBAUD),
                                  MASKED_NAME(B230400, CBAUD),
                                  MASKED_NAME(B460800, CBAUD),
                                  MASKED_NAME(B500000, CBAUD),
                                  MASKED_NAME(B921600, CBAUD),
                                  MASKED_NAME(B1000000, CBAUD),
                                  MASKED_NAME(CS5, CSIZE),
                                  MASKED_NAME(CS6, CSIZE),
                                  MASKED_NAME(CS7, CSIZE),
                                  MASKED_NAME(CS8, CSIZE),
                                  NAME(CSTOPB),
                                  NAME(CREAD),
                                  NAME(PARENB),
                                  NAME(PARODD),
                                  NAME(HUPCL),
                                  NAME(CLOCAL),
                                  NAME(CMSPAR),
                                  NAME(CRTSCTS)};
constexpr Name kLocalModes[] = {NAME(ISIG),   NAME(ICANON), NAME(XCASE),   NAME(ECHO),
                                NAME(ECHOE),  NAME(ECHOK),  NAME(ECHONL),  NAME(NOFLSH),
                                NAME(TOSTOP), NAME(IEXTEN), NAME(ECHOCTL), NAME(ECHOPRT),
                                NAME(ECHOKE), NAME(FLUSHO), NAME(PENDIN),  NAME(EXTPROC)};
constexpr Name kCharacterNames[] = {NAME(VINTR),  NAME(VQUIT), NAME(VERASE),   NAME(VKILL),    NAME(VEOF),
                                    NAME(VTIME),  NAME(VMIN),  NAME(VSWTC),    NAME(VSTART),   NAME(VSTOP),
                                    NAME(VSUSP),  NAME(VEOL),  NAME(VREPRINT), NAME(VDISCARD), NAME(VWERASE),
                                    NAME(VLNEXT), NAME(VEOL2)};
constexpr Name kDisciplines[] = {NAME(N_TTY), NAME(N_SLIP), NAME(N_MOUSE),
                                 NAME(N_PPP), NAME(N_HDLC), NAME(N_GSM0710)};
constexpr Name kFlushes[] = {NAME(TCIFLUSH), NAME(TCOFLUSH), NAME(TCIOFLUSH)};
constexpr Name kFlows[] = {NAME(TCOOFF), NAME(TCOON), NAME(TCIOFF), NAME(TCION)};
constexpr Name kModemLines[] = {NAME(TIOCM_LE),  NAME(TIOCM_DTR), NAME(TIOCM_RTS),
                                NAME(TIOCM_ST),  NAME(TIOCM_SR),  NAME(TIOCM_CTS),
                                NAME(TIOCM_CAR), NAME(TIOCM_RNG), NAME(TIOCM_DSR)};

Value show_characters_of_terminal(Scope&, const Type&, const Source& source) {
  Value array = Value::array();
  for (size_t i = 0; i < source.bytes.size(); ++i) {
    const char* name = name_of(i, 8, kCharacterNames);
    const auto byte = static_cast<uint8_t>(source.bytes[i]);
    array.add(Value::expression("[" + (name != nullptr ? std::string(name) : natural(i)) + "]=" + hex(byte),
                                Value::natural(byte)));
  }
  return array;
}

constexpr Type kInput{"", show_flags, 4, kInputModes, "I???"};
constexpr Type kOutput{"", show_flags, 4, kOutputModes, "O???"};
constexpr Type kControl{"", show_flags, 4, kControlModes, "C???"};
constexpr Type kLocal{"", show_flags, 4, kLocalModes, "L???"};
constexpr Type kDiscipline{"", show_choice, 4, kDisciplines, "N_???"};
constexpr Type kControlCharacters{"", show_characters_of_terminal};
using Termios = struct termios;
using Termios2 = struct termios2;
constexpr Field kTermiosFields[] = {FIELD(Termios, c_iflag, kInput),
                                    FIELD(Termios, c_oflag, kOutput),
                                    FIELD(Termios, c_cflag, kControl),
                                    FIELD(Termios, c_lflag, kLocal),
                                    VERBOSE_FIELD(Termios, c_line, kDiscipline),
                                    VERBOSE_FIELD(Termios, c_cc, kControlCharacters)};
constexpr Field kTermios2Fields[] = {FIELD(Termios2, c_iflag, kInput),
                                     FIELD(Termios2, c_oflag, kOutput),
                                     FIELD(Termios2, c_cflag, kControl),
                                     FIELD(Termios2, c_lflag, kLocal),
                                     VERBOSE_FIELD(Termios2, c_line, kDiscipline),
                                     VERBOSE_FIELD(Termios2, c_cc, kControlCharacters),
                                     VERBOSE_FIELD(Termios2, c_ispeed, kUnsignedNumber),
                                     VERBOSE_FIELD(Termios2, c_ospeed, kUnsignedNumber)};
constexpr Type kTermios{"", show_structure, sizeof(Termios), {}, "", kTermiosFields};
constexpr Type kTermios2{"", show_structure, sizeof(Termios2), {}, "", kTermios2Fields};

struct WindowSize {  // struct winsize
  uint16_t ws_row, ws_col, ws_xpixel, ws_ypixel;
};
constexpr Field kWindowSizeFields[] = {
    FIELD(WindowSize, ws_row, kUnsignedNumber), FIELD(WindowSize, ws_col, kUnsignedNumber),
    FIELD(WindowSize, ws_xpixel, kUnsignedNumber), FIELD(WindowSize, ws_ypixel, kUnsignedNumber)};
constexpr Type kWindowSize{"", show_structure, sizeof(WindowSize), {}, "", kWindowSizeFields};

constexpr Type kNumber{"", show_signed, 4};
constexpr Type kPacketMode{"", show_unsigned, 1};
constexpr Type kModem{"", show_flags, 4, kModemLines, "TIOCM_???"};
constexpr Type kFlush{"", show_choice, 4, kFlushes, "TC???FLUSH"};
constexpr Type kFlow{"", show_choice, 4, kFlows, "TC???"};

constexpr IoctlEntry kRequests[] = {IOCTL(TCGETS, kOut, &kTermios),
                                    IOCTL(TCSETS, kIn, &kTermios),
                                    IOCTL(TCSETSW, kIn, &kTermios),
                                    IOCTL(TCSETSF, kIn, &kTermios),
                                    IOCTL(TCGETS2, kOut, &kTermios2),
                                    IOCTL(TCSETS2, kIn, &kTermios2),
                                    IOCTL(TCSETSW2, kIn, &kTermios2),
                                    IOCTL(TCSETSF2, kIn, &kTermios2),
                                    IOCTL(TIOCGWINSZ, kOut, &kWindowSize),
                                    IOCTL(TIOCSWINSZ, kIn, &kWindowSize),
                                    IOCTL(TCSBRK, kNumber, &kNumber),
                                    IOCTL(TCSBRKP, kNumber, &kNumber),
                                    IOCTL(TIOCSBRK, kNothing, nullptr),
                                    IOCTL(TIOCCBRK, kNothing, nullptr),
                                    IOCTL(TCXONC, kNumber, &kFlow),
                                    IOCTL(TCFLSH, kNumber, &kFlush),
                                    IOCTL(TIOCOUTQ, kOut, &kNumber),
                                    IOCTL(FIONREAD, kOut, &kNumber),
                                    IOCTL(FIONBIO, kIn, &kNumber),
                                    IOCTL(FIOASYNC, kIn, &kNumber),
                                    IOCTL(FIOCLEX, kNothing, nullptr),
                                    IOCTL(FIONCLEX, kNothing, nullptr),
                                    IOCTL(FIOQSIZE, kOut, &kNumber),
                                    IOCTL(TIOCSTI, kIn, &kPacketMode),
                                    IOCTL(TIOCCONS, kNothing, nullptr),
                                    IOCTL(TIOCSCTTY, kNumber, &kNumber),
                                    IOCTL(TIOCNOTTY, kNothing, nullptr),
                                    IOCTL(TIOCGPGRP, kOut, &kNumber),
                                    IOCTL(TIOCSPGRP, kIn, &kNumber),
                                    IOCTL(TIOCGSID, kOut, &kNumber),
                                    IOCTL(TIOCEXCL, kNothing, nullptr),
                                    IOCTL(TIOCNXCL, kNothing, nullptr),
                                    IOCTL(TIOCGEXCL, kOut, &kNumber),
                                    IOCTL(TIOCGETD, kOut, &kDiscipline),
                                    IOCTL(TIOCSETD, kIn, &kDiscipline),
                                    IOCTL(TIOCPKT, kIn, &kNumber),
                                    IOCTL(TIOCGPKT, kOut, &kNumber),
                                    IOCTL(TIOCGPTN, kOut, &kNumber),
                                    IOCTL(TIOCSPTLCK, kIn, &kNumber),
                                    IOCTL(TIOCGPTLCK, kOut, &kNumber),
                                    IOCTL(TIOCGPTPEER, kDescriptor, &kOpenFlagNames),
                                    IOCTL(TIOCMGET, kOut, &kModem),
                                    IOCTL(TIOCMBIS, kIn, &kModem),
                                    IOCTL(TIOCMBIC, kIn, &kModem),
                                    IOCTL(TIOCMSET, kIn, &kModem),
                                    IOCTL(TIOCGSOFTCAR, kOut, &kNumber),
                                    IOCTL(TIOCSSOFTCAR, kIn, &kNumber),
                                    IOCTL(TIOCVHANGUP, kNothing, nullptr),
                                    IOCTL(TIOCGDEV, kOut, &kNumber),
                                    IOCTL(VT_GETMODE, kOut, nullptr),
                                    IOCTL(VT_GETSTATE, kOut, nullptr),
                                    IOCTL(VT_OPENQRY, kOut, &kNumber),
                                    IOCTL(VT_ACTIVATE, kNumber, &kNumber),
                                    IOCTL(VT_WAITACTIVE, kNumber, &kNumber),
                                    IOCTL(KDGKBTYPE, kOut, &kPacketMode),
                                    IOCTL(KDGETMODE, kOut, &kNumber),
                                    IOCTL(KDSETMODE, kNumber, &kNumber),
                                    IOCTL(KDGKBMODE, kOut, &kNumber),
                                    IOCTL(KDSKBMODE, kNumber, &kNumber)};

}  // namespace

std::span<const IoctlEntry> terminal_requests() { return kRequests; }

}  // namespace sandbox::trace
