/*
 * The agent's platform on Windows, from 2000 to 11, as one 32-bit program. What a version may lack is looked up when it
 * is needed; what it dials with is its own rasdial.
 */
#define WINVER 0x0500
#define _WIN32_WINNT 0x0500
#include <winsock2.h>
#include <windows.h>
#include <ras.h>
#include <wincrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

enum { PSK_MASK = 0x10, PING_MILLIS = 3000, COMMAND_MILLIS = 300000 };

static HANDLE line = INVALID_HANDLE_VALUE;
static char temp[MAX_PATH];

void platform_start(void)
{
    WSADATA data;
    WSAStartup(MAKEWORD(2, 0), &data);
    GetTempPathA(sizeof temp, temp);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX);
}

/* --- the serial port --- */

int line_open(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "\\\\.\\%s", name);
    line = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (line == INVALID_HANDLE_VALUE) return 1;
    DCB how;
    memset(&how, 0, sizeof how);
    how.DCBlength = sizeof how;
    GetCommState(line, &how);
    how.BaudRate = CBR_115200;
    how.ByteSize = 8;
    how.Parity = NOPARITY;
    how.StopBits = ONESTOPBIT;
    how.fBinary = TRUE;
    how.fOutxCtsFlow = how.fOutxDsrFlow = how.fOutX = how.fInX = how.fNull = FALSE;
    how.fDtrControl = DTR_CONTROL_ENABLE;
    how.fRtsControl = RTS_CONTROL_ENABLE;
    SetCommState(line, &how);
    SetupComm(line, 8192, 8192);
    return 0;
}

int line_read(char *to, int room, int millis)
{
    /* All three as MSDN has it: what is there at once, else the first byte within the time. */
    COMMTIMEOUTS wait = {MAXDWORD, MAXDWORD, (DWORD)(millis > 0 ? millis : 1), 0, 5000};
    DWORD got = 0;
    SetCommTimeouts(line, &wait);
    if (!ReadFile(line, to, (DWORD)room, &got, NULL)) {
        DWORD errors;
        ClearCommError(line, &errors, NULL);
        Sleep(20);
        return 0;
    }
    return (int)got;
}

void line_write(const char *from, int length)
{
    DWORD sent = 0;
    while (length > 0 && WriteFile(line, from, (DWORD)length, &sent, NULL) && sent > 0) {
        from += sent;
        length -= (int)sent;
    }
}

unsigned long now_millis(void) { return GetTickCount(); }

/* --- what it is --- */

/* GetVersionEx calls every Windows since 8.1 an 8; the kernel's own library does not. */
static OSVERSIONINFOEXW version(void)
{
    OSVERSIONINFOEXW v;
    memset(&v, 0, sizeof v);
    v.dwOSVersionInfoSize = sizeof v;
    LONG(WINAPI * ask)(OSVERSIONINFOEXW *) = (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "RtlGetVersion");
    if (ask) ask(&v);
    else GetVersionExW((OSVERSIONINFOW *)&v);
    return v;
}

void tell_system(struct answer *a)
{
    OSVERSIONINFOEXW v = version();
    char name[MAX_COMPUTERNAME_LENGTH + 1] = "";
    DWORD size = sizeof name;
    GetComputerNameA(name, &size);
    tell(a, "system", "windows");
    tell(a, "version", "%lu.%lu.%lu", v.dwMajorVersion, v.dwMinorVersion, v.dwBuildNumber);
    tell(a, "pack", "%d", v.wServicePackMajor);
    tell(a, "name", "%s", name);
}

/* --- commands --- */

static const char *in_temp(const char *name)
{
    static char path[MAX_PATH + 32];
    snprintf(path, sizeof path, "%s%s", temp, name);
    return path;
}

const char *collected_file(void) { return in_temp("fg-got.txt"); }

/* Runs a command with its output in `collected_file` and tends the line; its exit code, or -1 when it did not start. */
static long run(const char *command)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    HANDLE out = CreateFileA(collected_file(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                             CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    STARTUPINFOA start;
    PROCESS_INFORMATION process;
    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW;
    start.wShowWindow = SW_HIDE;
    start.hStdOutput = start.hStdError = out;
    char line_of_it[2048];
    snprintf(line_of_it, sizeof line_of_it, "%s", command);
    BOOL started = CreateProcessA(NULL, line_of_it, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start, &process);
    if (out != INVALID_HANDLE_VALUE) CloseHandle(out);
    if (!started) return -1;
    DWORD code = 0, begin = GetTickCount();
    while (WaitForSingleObject(process.hProcess, 250) == WAIT_TIMEOUT) {
        tend_line();
        if (GetTickCount() - begin > COMMAND_MILLIS) TerminateProcess(process.hProcess, 258 /* WAIT_TIMEOUT */);
    }
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return (long)code;
}

/* What `collect` may ask for; the logs of IKE and RAS are there once docs/windows-vms.md's steps have switched them on. */
static const struct { const char *what, *command; } collections[] = {
    {"addresses", "ipconfig /all"},
    {"routes", "route print"},
    {"ike", "cmd /c type %windir%\\debug\\oakley.log"},
    {"ipsec", "netsh ipsec dynamic show all"},
    {"events", "wevtutil qe Application /c:20 /rd:true /f:text /q:*[System[Provider[@Name='RasClient']]]"},
    {"last", NULL},
};

void do_collect(const struct words *w, struct answer *a)
{
    const char *what = word(w, "what", "");
    for (size_t i = 0; i < sizeof collections / sizeof *collections; i++) {
        if (strcmp(collections[i].what, what) != 0) continue;
        if (collections[i].command == NULL) return; /* What the last command said. */
        char command[512];
        ExpandEnvironmentStringsA(collections[i].command, command, sizeof command);
        tell(a, "code", "%ld", run(command));
        return;
    }
    refuse(a, "there is no collection \"%s\"", what);
}

/* --- the connection --- */

static const char *phonebook(void)
{
    static char path[MAX_PATH + 32];
    if (strcmp(setting("how"), "powershell") == 0) return NULL; /* It is in the user's own one. */
    snprintf(path, sizeof path, "%sfg.pbk", temp);
    return path;
}

/* The user's pre-shared key goes where the dialogue of the connection puts it; there is no such thing in Windows 2000. */
static DWORD set_psk(const char *psk)
{
    DWORD(WINAPI * set)(LPCSTR, LPCSTR, LPRASCREDENTIALSA, BOOL) =
        (void *)GetProcAddress(LoadLibraryA("rasapi32.dll"), "RasSetCredentialsA");
    if (!set) return ERROR_PROC_NOT_FOUND;
    RASCREDENTIALSA credentials;
    memset(&credentials, 0, sizeof credentials);
    credentials.dwSize = sizeof credentials;
    credentials.dwMask = PSK_MASK;
    snprintf(credentials.szPassword, sizeof credentials.szPassword, "%s", psk);
    return set(phonebook(), setting("entry"), &credentials, FALSE);
}

static int copy_certificates(HCERTSTORE from)
{
    HCERTSTORE own = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, CERT_SYSTEM_STORE_LOCAL_MACHINE, "MY");
    HCERTSTORE roots = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, CERT_SYSTEM_STORE_LOCAL_MACHINE, "ROOT");
    int count = 0;
    for (PCCERT_CONTEXT c = NULL; own && roots && (c = CertEnumCertificatesInStore(from, c)) != NULL;) {
        DWORD size = 0;
        BOOL has_key = CertGetCertificateContextProperty(c, CERT_KEY_PROV_INFO_PROP_ID, NULL, &size);
        if (CertAddCertificateContextToStore(has_key ? own : roots, c, CERT_STORE_ADD_REPLACE_EXISTING, NULL)) count++;
    }
    if (own) CertCloseStore(own, 0);
    if (roots) CertCloseStore(roots, 0);
    return count;
}

/* The PKCS #12 file of the disk: what has a key into the computer's own store, the authority into its trusted roots. */
static void import_certificate(struct answer *a)
{
    HCERTSTORE(WINAPI * import)(CRYPT_DATA_BLOB *, LPCWSTR, DWORD) =
        (void *)GetProcAddress(LoadLibraryA("crypt32.dll"), "PFXImportCertStore");
    static BYTE bytes[65536];
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%sCLIENT.P12", disk);
    FILE *file = fopen(path, "rb");
    if (!file || !import) { refuse(a, import ? "there is no CLIENT.P12" : "this Windows cannot import PKCS #12"); return; }
    CRYPT_DATA_BLOB blob = {(DWORD)fread(bytes, 1, sizeof bytes, file), bytes};
    fclose(file);
    WCHAR password[128];
    MultiByteToWideChar(CP_ACP, 0, setting("p12password"), -1, password, 128);
    HCERTSTORE store = import(&blob, password, CRYPT_MACHINE_KEYSET);
    if (!store) { refuse(a, "PFXImportCertStore: error %lu", GetLastError()); return; }
    tell(a, "certificates", "%d", copy_certificates(store));
    CertCloseStore(store, 0);
}

/* A text as PowerShell quotes it. */
static const char *quoted(const char *text, char *to, size_t room)
{
    size_t at = 0;
    for (to[at++] = '\''; *text && at + 3 < room; text++) {
        if (*text == '\'') to[at++] = '\'';
        to[at++] = *text;
    }
    to[at++] = '\'';
    to[at] = 0;
    return to;
}

/* On a 64-bit Windows its own PowerShell, not the 32-bit one that a program like this is shown. */
static const char *powershell(void)
{
    static char path[MAX_PATH];
    ExpandEnvironmentStringsA("%windir%\\Sysnative\\WindowsPowerShell\\v1.0\\powershell.exe", path, sizeof path);
    return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES ? path : "powershell";
}

static void add_connection(const char *psk, struct answer *a)
{
    char command[1800], entry[128], server[128], key[512];
    quoted(setting("entry"), entry, sizeof entry);
    snprintf(command, sizeof command,
             "%s -NoProfile -ExecutionPolicy Bypass -Command \"$ErrorActionPreference='Stop';"
             "Remove-VpnConnection -Name %s -Force -ErrorAction SilentlyContinue;"
             "Add-VpnConnection -Name %s -ServerAddress %s -TunnelType L2tp %s%s"
             " -AuthenticationMethod Chap,MSChapv2 -EncryptionLevel Optional -Force\"",
             powershell(), entry, entry, quoted(setting("server"), server, sizeof server), *psk ? "-L2tpPsk " : "",
             *psk ? quoted(psk, key, sizeof key) : "");
    long code = run(command);
    tell(a, "code", "%ld", code);
    if (code != 0) refuse(a, "Add-VpnConnection did not work: collect last");
}

void do_configure(const struct words *w, struct answer *a)
{
    const char *psk = word(w, "psk", setting("psk"));
    const char *how = setting("how");
    tell(a, "how", "%s", how);
    if (strcmp(setting("login"), "certificate") == 0) {
        import_certificate(a);
        psk = "";
    }
    if (strcmp(how, "powershell") == 0) {
        add_connection(psk, a);
        return;
    }
    char from[MAX_PATH];
    snprintf(from, sizeof from, "%sRASPHONE.PBK", disk);
    SetFileAttributesA(phonebook(), FILE_ATTRIBUTE_NORMAL);
    if (!CopyFileA(from, phonebook(), FALSE)) { refuse(a, "copying %s: error %lu", from, GetLastError()); return; }
    SetFileAttributesA(phonebook(), FILE_ATTRIBUTE_NORMAL);
    if (!*psk) return;
    DWORD error = set_psk(psk);
    tell(a, "error", "%lu", error);
    if (error != 0) refuse(a, "RasSetCredentials: error %lu", error);
}

/* Dials or hangs up; the exit code of rasdial is the RAS error. */
static long rasdial(const char *words)
{
    char command[1024], book[MAX_PATH + 64] = "";
    if (phonebook()) snprintf(book, sizeof book, " \"/phonebook:%s\"", phonebook());
    snprintf(command, sizeof command, "rasdial \"%s\" %s%s", setting("entry"), words, book);
    return run(command);
}

void do_dial(const struct words *w, struct answer *a)
{
    char words[512];
    snprintf(words, sizeof words, "\"%s\" \"%s\"", word(w, "user", ""), word(w, "password", ""));
    unsigned long begin = now_millis();
    long error = rasdial(words);
    if (error < 0) refuse(a, "rasdial does not start");
    tell(a, "error", "%ld", error);
    tell(a, "millis", "%lu", now_millis() - begin);
    do_status(w, a);
}

void do_hangup(const struct words *w, struct answer *a)
{
    (void)w;
    long error = rasdial("/disconnect");
    if (error < 0) refuse(a, "rasdial does not start");
    tell(a, "error", "%ld", error);
}

void do_status(const struct words *w, struct answer *a)
{
    (void)w;
    HMODULE ras = LoadLibraryA("rasapi32.dll");
    DWORD(WINAPI * list)(LPRASCONNA, LPDWORD, LPDWORD) = (void *)GetProcAddress(ras, "RasEnumConnectionsA");
    DWORD(WINAPI * project)(HRASCONN, RASPROJECTION, LPVOID, LPDWORD) = (void *)GetProcAddress(ras, "RasGetProjectionInfoA");
    static RASCONNA connections[8];
    DWORD size = sizeof connections, count = 0;
    memset(connections, 0, sizeof connections);
    connections[0].dwSize = sizeof connections[0];
    if (!list || !project || list(connections, &size, &count) != 0) count = 0;
    for (DWORD i = 0; i < count; i++) {
        if (strcmp(connections[i].szEntryName, setting("entry")) != 0) continue;
        RASPPPIPA ip;
        memset(&ip, 0, sizeof ip);
        ip.dwSize = size = sizeof ip;
        if (project(connections[i].hrasconn, RASP_PppIp, &ip, &size) != 0) continue;
        tell(a, "connected", "yes");
        tell(a, "address", "%s", ip.szIpAddress);
        tell(a, "peer", "%s", ip.szServerIpAddress);
        return;
    }
    tell(a, "connected", "no");
}

/* --- pings, by the library that ping itself uses --- */

struct ping_options { UCHAR ttl, tos, flags, size; UCHAR *data; };

void do_ping(const struct words *w, struct answer *a)
{
    HMODULE library = LoadLibraryA("iphlpapi.dll");
    if (!library || !GetProcAddress(library, "IcmpSendEcho")) library = LoadLibraryA("icmp.dll"); /* Windows 2000 */
    HANDLE(WINAPI * open)(void) = (void *)GetProcAddress(library, "IcmpCreateFile");
    DWORD(WINAPI * ping)(HANDLE, ULONG, LPVOID, WORD, struct ping_options *, LPVOID, DWORD, DWORD) =
        (void *)GetProcAddress(library, "IcmpSendEcho");
    if (!open || !ping) { refuse(a, "no IcmpSendEcho"); return; }
    static UCHAR data[8192], reply[8192 + 256];
    int count = atoi(word(w, "count", "4")), bytes = atoi(word(w, "bytes", "32")), received = 0;
    if (bytes > (int)sizeof data) bytes = sizeof data;
    struct ping_options options = {128, 0, strcmp(word(w, "whole", "no"), "yes") == 0 ? 2 : 0, 0, NULL};
    HANDLE handle = open();
    unsigned long total = 0;
    for (int i = 0; i < count; i++) {
        unsigned long begin = now_millis();
        DWORD got = ping(handle, inet_addr(word(w, "host", "")), data, (WORD)bytes, &options, reply, sizeof reply,
                         PING_MILLIS);
        ULONG status = got ? ((ULONG *)reply)[1] : 1;
        if (status == 0) {
            received++;
            total += ((ULONG *)reply)[2];
        }
        while (i + 1 < count && now_millis() - begin < 200) Sleep(20);
        tend_line();
    }
    CloseHandle(handle);
    tell(a, "sent", "%d", count);
    tell(a, "received", "%d", received);
    tell(a, "millis", "%lu", received ? total / (unsigned long)received : 0);
}
