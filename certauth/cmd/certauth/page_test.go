package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// refusedPage writes the page of a refusal with all elements: long names, deep trees, and client
// text that looks like markup.
func refusedPage(t *testing.T) string {
	t.Helper()
	w := newWorld(t)
	deep := chain
	for i := range 8 {
		deep = fmt.Sprintf(`{"named": {"name": "role-%d", "policy": {"all": [%s]}}}`, i, deep)
	}
	policy := w.named("policy", `{"all": [`+deep+`, {"dnsNames": ["`+strings.Repeat("very-long-label-", 3)+`x.partner.example"]}, {"uris": ["https://a.example/<b>"]}]}`)
	client := w.issuing.Issue(t, "<script>alert(1)</script>", certauthtest.DNS(strings.Repeat("x", 60)+".example"), certauthtest.URI(t, "https://b.example/'%22"))
	page := w.path("page.html")
	got := certauthRun(t, "", "explain", "-policy", policy, "-html", page, client.Base64())
	require.Equal(t, exitNo, got.code, got.errs)
	return page
}

func TestPage_HoldsTheAnswerAndAsksNobody(t *testing.T) {
	content, err := os.ReadFile(refusedPage(t))
	require.NoError(t, err)
	text := string(content)
	for _, want := range []string{"name_not_allowed", "Policy.All[1].DNSNames", "next step", "policy.json:1", "decides", "role-7", `name="viewport"`} {
		assert.Contains(t, text, want)
	}
	assert.NotRegexp(t, `(?i)<script|<link|<img|<iframe|src=|url\(|@import|\son[a-z]+=`, text)
	assert.NotContains(t, text, "ZgotmplZ")
}

var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome"}

// In a real browser, at the width of a desktop and of a phone, with scripts off for the page: all
// text is present, nothing is wider than the window, and nothing is fetched.
func TestRealPage_InABrowser(t *testing.T) {
	browser := ""
	for _, name := range chromiumNames {
		if found, err := exec.LookPath(name); err == nil {
			browser = found
			break
		}
	}
	if browser == "" {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatal("no chromium; apt-get install chromium")
		}
		t.Skip("no chromium on this machine; apt-get install chromium")
	}
	page := refusedPage(t)
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, width := range []int{1280, 360} {
		t.Run(fmt.Sprintf("%d pixels", width), func(t *testing.T) {
			// The page is in a frame of that width, without its own scripts; the frame is measured
			// from outside. A headless window cannot be as narrow as a phone.
			frame := filepath.Join(dir, fmt.Sprintf("frame-%d.html", width))
			outer := `<!DOCTYPE html><html><body style="margin:0"><iframe sandbox="allow-same-origin" id="f" style="border:0;width:` + fmt.Sprint(width) + `px;height:8000px" srcdoc="` +
				strings.NewReplacer("&", "&amp;", `"`, "&quot;").Replace(string(content)) + `"></iframe><pre id="result"></pre><script>
addEventListener("load", () => {
  const d = document.getElementById("f").contentDocument, e = d.documentElement;
  const wide = [...d.querySelectorAll("body *")].filter(x => x.getBoundingClientRect().right > e.clientWidth + 0.5).length;
  document.getElementById("result").textContent = JSON.stringify({scroll: e.scrollWidth, client: e.clientWidth, wide, text: d.body.innerText, fetched: performance.getEntriesByType("resource").length});
});</script></body></html>`
			require.NoError(t, os.WriteFile(frame, []byte(outer), 0o600))
			log := filepath.Join(dir, fmt.Sprintf("net-%d.json", width))
			// The last flags are for build machines that permit neither a sandbox nor shared memory.
			command := exec.CommandContext(t.Context(), browser, "--headless=new", "--disable-gpu", "--no-first-run", "--user-data-dir="+filepath.Join(dir, "profile"),
				"--disable-background-networking", "--disable-component-update", "--log-net-log="+log, "--virtual-time-budget=5000", "--window-size=1400,900",
				"--dump-dom", "--no-sandbox", "--disable-dev-shm-usage", (&url.URL{Scheme: "file", Path: frame}).String())
			command.WaitDelay = time.Minute
			output, err := command.Output()
			require.NoError(t, err)
			found := regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`).FindSubmatch(output)
			require.NotNil(t, found, "%s", output)
			result := string(found[1])
			assert.Contains(t, result, fmt.Sprintf(`"scroll":%d,"client":%d,"wide":0`, width, width))
			assert.Contains(t, result, `"fetched":0`)
			for _, want := range []string{"name_not_allowed", "Policy.All[1].DNSNames", "next step", "role-7", "decides"} {
				assert.Contains(t, result, want)
			}
			screenshot := filepath.Join(dir, fmt.Sprintf("%d.png", width))
			if keep := os.Getenv("CERTAUTH_SCREENSHOTS"); keep != "" {
				screenshot = filepath.Join(keep, fmt.Sprintf("explain-%d.png", width))
			}
			shot := exec.CommandContext(t.Context(), browser, "--headless=new", "--disable-gpu", "--no-sandbox", "--disable-dev-shm-usage", "--user-data-dir="+filepath.Join(dir, "profile"),
				"--window-size=1400,900", "--screenshot="+screenshot, (&url.URL{Scheme: "file", Path: frame}).String())
			require.NoError(t, shot.Run())
			info, err := os.Stat(screenshot)
			require.NoError(t, err)
			assert.Greater(t, info.Size(), int64(5000))
		})
	}
}
