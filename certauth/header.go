package certauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
)

// headerSet is the set of headers that a source reads, folded: in lower case, with "_" and "." as
// "-". Servers, proxies and CGI-like layers treat these spellings as one name, so no spelling may
// reach a handler.
type headerSet struct {
	names   []string // lower case, "_" and "." as "-"
	keys    []string // as net/http writes them
	lengths uint64   // bit n is set if a name has n bytes; a quick no for most headers

	// spellings are all keys under which net/http's server stores a header that folds to one
	// of the names; nil if there are more than maxSpellings.
	spellings []string
}

// maxSpellings bounds the spellings that are looked up one by one. A name with n hyphens has 3^n
// spellings, and a look-up costs about as much as one header in a walk over all of them.
const maxSpellings = 32

// maxConnection bounds the Connection header, whose legitimate values are a few words.
const maxConnection = 4 << 10

func newHeaderSet(names []string) (headerSet, error) {
	var set headerSet
	var mistakes []error
	for _, name := range names {
		if err := httpheader.Check(name); err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		folded := []byte(name)
		for i, c := range folded {
			folded[i] = foldHeader(c)
		}
		set.names = append(set.names, string(folded))
		set.keys = append(set.keys, http.CanonicalHeaderKey(name))
		set.lengths |= 1 << len(name)
	}
	set.lengths |= 1<<len("Connection") | 1<<len("Upgrade")
	for _, name := range set.names {
		set.spellings = append(set.spellings, spellingsOf(name, maxSpellings-len(set.spellings))...)
		if len(set.spellings) > maxSpellings {
			set.spellings = nil
			break
		}
	}
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

func foldHeader(c byte) byte {
	if c == '_' || c == '.' {
		return '-'
	}
	return lowerASCII(c)
}

func (s *headerSet) has(name string) bool {
	if len(name) > 63 || s.lengths&(1<<len(name)) == 0 {
		return false
	}
	for _, known := range s.names {
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

// hopByHop says which of the headers about one connection a request has. Their values must be
// checked then.
type hopByHop struct{ connection, upgrade bool }

// fewerThan reports whether looking the spellings up takes less time than walking over the header.
func (s *headerSet) fewerThan(header http.Header) bool {
	return s.spellings != nil && len(s.spellings) <= len(header)
}

// strip removes every spelling of the headers, with all values. It does so in place, so that they
// are gone for middleware outside too. It reports the hop-by-hop headers of the request.
//
// canonical says that the header is as net/http's server made it, so that every key that folds to
// a name is one of the spellings. Middleware can write keys in any form, so after any middleware
// strip must walk over all headers.
func (s *headerSet) strip(r *http.Request, canonical bool) (found hopByHop) {
	if len(s.names) == 0 || canonical && s.spellings != nil {
		for _, key := range s.spellings {
			if _, ok := r.Header[key]; !ok { // a look-up is cheaper than deleting a missing key
				continue
			}
			delete(r.Header, key)
		}
		_, found.connection = r.Header["Connection"]
		_, found.upgrade = r.Header["Upgrade"]
		return found
	}
	present := false
	for name := range r.Header {
		if n := len(name); n > 63 || s.lengths>>n&1 == 0 {
			continue
		}
		switch {
		case name == "Connection":
			found.connection = true
		case name == "Upgrade":
			found.upgrade = true
		case slices.Contains(s.keys, name):
			present = true
		case s.has(name):
			delete(r.Header, name)
		}
	}
	if present { // after the walk, because deleting during it slows the map down
		for _, key := range s.keys {
			delete(r.Header, key)
		}
	}
	return found
}

// namedByConnection reports whether the Connection header asks a proxy to remove one of the headers
// (RFC 9110, section 7.6.1). A client can remove the front end's header in this way. A list that is
// too long counts as naming one.
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
			if s.has(strings.Trim(option, " \t")) {
				return true
			}
		}
	}
	return false
}
