package mysqlbind

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
)

// isOK reports whether an OK packet has all that the MySQL driver reads of it: two numbers and a status, manual "OK_Packet".
func isOK(body []byte) bool {
	if len(body) == 0 || body[0] != packetOK {
		return false
	}
	at := 1
	for range 2 {
		if at >= len(body) {
			return false
		}
		at += 1 + map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[body[at]]
	}
	return at+2 <= len(body)
}

// isError reports whether an ERR packet has all that the MySQL driver reads of it: a number, and a SQLSTATE if it begins one, manual "ERR_Packet".
func isError(body []byte) bool {
	return len(body) >= 4 && body[0] == packetError && (body[3] != '#' || len(body) >= 9)
}

// isSwitch reports whether the salt for a plugin that hashes with 20 bytes of it has as many, manual "Protocol::AuthSwitchRequest".
func isSwitch(body []byte) bool {
	name, salt, _ := bytes.Cut(body[1:], []byte{0})
	switch string(name) {
	case pluginNative, pluginSHA256, pluginCachingSHA2:
		return len(bytes.TrimSuffix(salt, []byte{0})) >= 20
	}
	return true
}

// loginPlugin reads from a login by which plugin it answers, manual "Protocol::HandshakeResponse41"; "" if it does not say.
func loginPlugin(login []byte) string {
	if len(login) < packetHeader+sslRequestLen {
		return ""
	}
	flags := binary.LittleEndian.Uint32(login[packetHeader:])
	_, rest, _ := bytes.Cut(login[packetHeader+sslRequestLen:], []byte{0}) // behind the account
	if len(rest) == 0 || int(rest[0])+1 > len(rest) {
		return ""
	}
	rest = rest[int(rest[0])+1:] // behind the answer
	if flags&clientConnectWithDB != 0 {
		_, rest, _ = bytes.Cut(rest, []byte{0})
	}
	name, _, _ := bytes.Cut(rest, []byte{0})
	return string(name)
}

// isRSA reports whether a text is an RSA key, or no key at all, which the MySQL driver refuses itself.
func isRSA(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return true
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return true
	}
	_, ok := key.(*rsa.PublicKey)
	return ok
}
