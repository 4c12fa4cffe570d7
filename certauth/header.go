package certauth

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// headerSet is the set of headers that a source reads, folded: in lower case, with "_" and "." as
// "-". Servers, proxies and CGI-like layers treat these spellings as one name, so no spelling may
// reach a handler.
type headerSet struct {
	names   []string // lower case, "_" and "." as "-"
	keys    []string // as net/http writes them
	lengths uint64   // bit n is set if a name has n bytes; a quick no for most headers

	// aliases are the other keys under which net/http's server stores a header that folds to one
	// of the names. They are not listed if there are too many.
	aliases []string
	listed  bool

	kept []string // further names, folded, of headers that the source reads and that are not removed
}

// maxSpellings bounds the spellings that are looked up one by one. A name with n hyphens has 3^n
// spellings, and a look-up costs about as much as one header in a walk over all of them.
const maxSpellings = 32

// maxConnection bounds the Connection header, whose legitimate values are a few words.
const maxConnection = 4 << 10

// newHeaderSet returns the set of the names. kept are headers that are read too, but not removed.
func newHeaderSet(names, kept []string) (headerSet, error) {
	var set headerSet
	var mistakes []error
	for _, name := range names {
		if err := httpheader.Check(name); err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		set.names = append(set.names, foldedHeader(name))
		set.keys = append(set.keys, http.CanonicalHeaderKey(name))
		set.lengths |= 1 << len(name)
	}
	for _, name := range kept {
		set.kept = append(set.kept, foldedHeader(name))
	}
	var spellings []string
	for _, name := range set.names {
		spellings = append(spellings, spellingsOf(name, maxSpellings-len(spellings))...)
		if len(spellings) > maxSpellings {
			return set, errors.Join(mistakes...)
		}
	}
	set.listed = true
	set.aliases = slices.DeleteFunc(spellings, func(key string) bool { return slices.Contains(set.keys, key) })
	return set, errors.Join(mistakes...)
}

// spellingsOf returns the spellings that fold to the name, as net/http writes them. If there are
// more than limit, it returns more than limit of them, but not all.
func spellingsOf(folded string, limit int) []string {
	spellings := []string{""}
	for i, part := range strings.Split(folded, "-") {
		if i == 0 {
			spellings[0] = part
			continue
		}
		var longer []string
		for _, start := range spellings {
			for _, hyphen := range []string{"-", "_", "."} {
				longer = append(longer, start+hyphen+part)
			}
		}
		spellings = longer
		if len(spellings) > limit {
			return spellings
		}
	}
	for i, name := range spellings {
		spellings[i] = http.CanonicalHeaderKey(name)
	}
	return spellings
}

func foldedHeader(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		folded[i] = foldHeader(c)
	}
	return string(folded)
}

func foldHeader(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + ('a' - 'A')
	}
	return c
}

func (s *headerSet) has(name string) bool {
	if len(name) > 63 || s.lengths&(1<<len(name)) == 0 {
		return false
	}
	return foldsToOne(name, s.names)
}

// reads reports whether the set has a header of the other one.
func (s *headerSet) reads(other *headerSet) bool { return slices.ContainsFunc(other.names, s.has) }

func foldsToOne(name string, folded []string) bool {
	for _, known := range folded {
		if len(known) == len(name) && foldsTo(name, known) {
			return true
		}
	}
	return false
}

func foldsTo(name, folded string) bool {
	for i := range len(name) {
		if foldHeader(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

// strip removes every spelling of the headers, with all values, and h2c from the Upgrade header.
//
// own says that the request is as net/http's server made it and that nothing else refers to it.
// Every key that folds to a name is then one that the set lists, and is deleted from the map.
// Middleware outside can write keys in any form, so after any middleware strip walks over all
// headers. Such middleware may also have stopped waiting, as [http.TimeoutHandler] does when the
// client hangs up, and may read the header in another goroutine. Writing to the map would then end
// the process, so the request gets another map.
func (s *headerSet) strip(r *http.Request, own bool) {
	if own && s.listed && len(s.keys)+len(s.aliases) <= len(r.Header) { // fewer look-ups than a walk has steps
		for _, key := range s.keys {
			delete(r.Header, key)
		}
		for _, key := range s.aliases {
			if r.Header[key] != nil { // hardly ever, and a look-up takes less time than delete
				delete(r.Header, key)
			}
		}
	} else {
		var room [8]string
		gone := room[:0]
		for name := range r.Header {
			if s.has(name) {
				gone = append(gone, name)
			}
		}
		if _, upgrade := r.Header["Upgrade"]; !own && (upgrade || len(gone) > 0) {
			r.Header = maps.Clone(r.Header)
		}
		for _, name := range gone {
			delete(r.Header, name)
		}
	}
	socket.DropUpgrade(r.Header)
}

// namedByConnection reports whether the Connection header asks a proxy to remove one of the headers
// that the source reads (RFC 9110, section 7.6.1). A client can remove the front end's header in
// this way. A list that is too long counts as naming one.
func (s *headerSet) namedByConnection(lines []string) bool {
	if len(s.names) == 0 {
		return false
	}
	size := 0
	for _, line := range lines {
		if size += len(line); size > maxConnection {
			return true
		}
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.Trim(option, " \t"); s.has(option) || foldsToOne(option, s.kept) {
				return true
			}
		}
	}
	return false
}
