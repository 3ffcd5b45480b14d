package mysqlbind

import (
	"strings"
)

// parseOwned reads @@global.gtid_owned: "UUID:83335#4030:83336#4031UUID:tag:1#4032", the numbers behind # being the
// threads that own the transactions. Nothing stands between one origin and the next. What makes no sense is left out: an
// owned transaction that is not known is at worst an excess that passes.
func parseOwned(text string) gtidSet {
	byName := make(map[string]*origin)
	text = strings.ToLower(text)
	for start := nextUUID(text); start >= 0; {
		text = text[start:]
		uuid, rest := text[:36], text[36:]
		end := nextUUID(rest)
		body := rest
		if end >= 0 {
			body = rest[:end]
		}
		readOwned(byName, uuid, strings.TrimRight(body, ", \n"))
		text, start = rest, end
	}
	return newSet(byName)
}

// nextUUID returns where the first UUID begins, -1 if there is none: nothing else has dashes.
func nextUUID(text string) int {
	dash := strings.IndexByte(text, '-')
	if dash < 8 || len(text) < dash-8+36 || !isUUID(text[dash-8:dash+28]) {
		return -1
	}
	return dash - 8
}

func readOwned(byName map[string]*origin, uuid, body string) {
	name := uuid
	for element := range strings.SplitSeq(strings.TrimPrefix(body, ":"), ":") {
		if isTag(element) {
			name = uuid + ":" + element
			continue
		}
		number, _, _ := strings.Cut(element, "#")
		if v, ok := parseInterval(number); ok {
			add(byName, name, digest{}, v)
		}
	}
}
