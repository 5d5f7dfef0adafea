// Release releases every public module of the project at one version, as docs/releasing.md
// describes:
//
//	scripts/release                 test a release of the next version; change nothing
//	scripts/release -build v0.1.0   test a release of this version, and compile; change nothing
//	scripts/release -tag v0.1.0     test, compile, commit the requirements and create the tags
//
// The test uses the modules as users get them. It publishes the modules, without their replace
// directives, in a local module proxy, and creates a program for each that requires it from there.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

const root = "github.com/scskit/scskit"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one run of the command.
type release struct {
	ctx     context.Context
	out     io.Writer
	dir     string // the checkout
	version string
	build   bool
	modules []string // the directories, each after those that it requires
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(out)
	dir := flags.String("dir", ".", "the `directory` of the checkout")
	tag := flags.Bool("tag", false, "commit the requirements and create the tags; implies -build")
	build := flags.Bool("build", false,
		"compile the programs that require the modules, which takes minutes")
	flags.Usage = func() {
		fmt.Fprintln(out, "usage: scripts/release [-build | -tag] [vX.Y.Z]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	r := &release{ctx: ctx, out: out, dir: *dir, version: flags.Arg(0), build: *build || *tag}
	if flags.NArg() == 0 && !*tag {
		r.version = next(r.lastTag())
	}
	if flags.NArg() > 1 || !semver.IsValid(r.version) || semver.Canonical(r.version) != r.version {
		flags.Usage()
		return errors.New("name a version, such as v0.1.0")
	}
	list, err := r.output(r.dir, "scripts/modules", "-public")
	if err != nil {
		return err
	}
	r.modules = strings.Fields(list)
	if err := r.check(*tag); err != nil {
		return err
	}
	if err := r.try(); err != nil {
		return err
	}
	return r.tag(*tag)
}

// check checks the conditions for a release. If it is not strict, it only prints those that can
// still be met, and returns an error only for the others.
func (r *release) check(strict bool) error {
	var missing []error
	status, err := r.output(r.dir, "git", "status", "--porcelain")
	switch {
	case err != nil:
		missing = append(missing, err)
	case status != "":
		missing = append(missing, errors.New("the checkout has changes: commit them"))
	}
	if last := r.lastTag(); last != "" && semver.Compare(r.version, last) <= 0 {
		return fmt.Errorf("%s is not after the last release, %s", r.version, last)
	}
	for _, t := range r.tags() {
		if _, err := r.output(r.dir, "git", "rev-parse", "-q", "--verify", "refs/tags/"+t); err == nil {
			return fmt.Errorf("the tag %s exists already", t)
		}
	}
	changes, err := os.ReadFile(filepath.Join(r.dir, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	heading := "## " + strings.TrimPrefix(r.version, "v")
	if !slices.ContainsFunc(strings.Split(string(changes), "\n"), func(line string) bool {
		return line == heading || strings.HasPrefix(line, heading+" ")
	}) {
		const format = `CHANGELOG.md has no section %q: rename "## Unreleased" and add the date`
		missing = append(missing, fmt.Errorf(format, heading))
	}
	if err := errors.Join(missing...); strict || err == nil {
		return err
	}
	fmt.Fprintf(r.out, "Before -tag:\n%v\n\n", errors.Join(missing...))
	return nil
}

// lastTag returns the version of the last release, or "" if there is none.
func (r *release) lastTag() (last string) {
	tags, err := r.output(r.dir, "git", "tag", "--list", "v*")
	if err != nil {
		return ""
	}
	for t := range strings.FieldsSeq(tags) {
		if semver.IsValid(t) && (last == "" || semver.Compare(t, last) > 0) {
			last = t
		}
	}
	return last
}

// next returns the next patch version, or v0.1.0 if there is no release.
func next(last string) string {
	var major, minor, patch int
	if _, err := fmt.Sscanf(last, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		return "v0.1.0"
	}
	return fmt.Sprintf("v%d.%d.%d", major, minor, patch+1)
}

// tags returns the tags of the release, in the order of the modules.
func (r *release) tags() (tags []string) {
	for _, m := range r.modules {
		tags = append(tags, strings.TrimPrefix(path.Join(filepath.ToSlash(m), r.version), "./"))
	}
	return tags
}

// try publishes the modules in a local proxy and creates a program for each.
func (r *release) try() error {
	tmp, err := os.MkdirTemp("", "scskit-release-")
	if err != nil {
		return err
	}
	defer func() { // the module cache is read-only
		_ = exec.Command("chmod", "-R", "u+w", tmp).Run() //nolint:noctx // clean up in any case
		_ = os.RemoveAll(tmp)
	}()
	tree := filepath.Join(tmp, "tree")
	if err := copyTree(r.dir, tree); err != nil {
		return err
	}
	proxy := filepath.Join(tmp, "proxy")
	for _, m := range r.modules {
		if err := r.publish(filepath.Join(tree, m), modulePath(m), proxy); err != nil {
			return fmt.Errorf("%s: %w", modulePath(m), err)
		}
	}
	cache, err := r.output(tree, "go", "env", "GOMODCACHE")
	if err != nil {
		return err
	}
	proxies, err := r.output(tree, "go", "env", "GOPROXY")
	if err != nil {
		return err
	}
	downloads := filepath.Join(cache, "cache", "download")
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod",
		"GONOSUMDB="+root+","+root+"/*",
		"GOMODCACHE="+filepath.Join(tmp, "cache"),
		"GOPROXY=file://"+proxy+",file://"+downloads+","+proxies)
	for _, m := range r.modules {
		dir, source := filepath.Join(tmp, "consumer", m), filepath.Join(tree, m)
		if err := r.consume(dir, source, modulePath(m), env); err != nil {
			return fmt.Errorf("a program that requires %s: %w", modulePath(m), err)
		}
		fmt.Fprintf(r.out, "ok  %s@%s\n", modulePath(m), r.version)
	}
	return nil
}

func modulePath(dir string) string { return path.Join(root, filepath.ToSlash(dir)) }

// publish puts a module into the proxy, without replace directives. Its requirements of the other
// modules name the version of the release.
func (r *release) publish(dir, modPath, proxy string) error {
	file := filepath.Join(dir, "go.mod")
	mod, err := r.require(file)
	if err != nil {
		return err
	}
	for _, replaced := range mod.Replace {
		if err := mod.DropReplace(replaced.Old.Path, replaced.Old.Version); err != nil {
			return err
		}
	}
	mod.Cleanup()
	text, err := mod.Format()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	at := filepath.Join(proxy, filepath.FromSlash(modPath), "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"list":              r.version + "\n",
		r.version + ".mod":  string(text),
		r.version + ".info": fmt.Sprintf(`{"Version":%q}`, r.version),
	} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(at, r.version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(
		zip.CreateFromDir(archive, module.Version{Path: modPath, Version: r.version}, dir),
		archive.Close())
}

// require parses a go.mod and sets its requirements of the project's modules to the version.
func (r *release) require(file string) (*modfile.File, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse(file, text, nil)
	if err != nil {
		return nil, err
	}
	for _, required := range mod.Require {
		if p := required.Mod.Path; p == root || strings.HasPrefix(p, root+"/") {
			if err := mod.AddRequire(p, r.version); err != nil {
				return nil, err
			}
		}
	}
	return mod, nil
}

// consume creates a program that imports every package of a module.
func (r *release) consume(dir, source, modPath string, env []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := r.outputWith(append(os.Environ(), "GOWORK=off"),
		filepath.Join(r.dir, strings.TrimPrefix(modPath, root)), "go", "list", "./...")
	if err != nil {
		return err
	}
	program := "package main\n\nimport (\n"
	for p := range strings.FieldsSeq(list) {
		if !strings.Contains(p, "/internal/") {
			program += fmt.Sprintf("\t_ %q\n", p)
		}
	}
	program += ")\n\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return err
	}
	f, err := modfile.ParseLax("go.mod", mod, nil)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("module example.com/consumer\n\ngo %s\n\nrequire %s %s\n",
		f.Go.Version, modPath, r.version)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
		return err
	}
	commands := [][]string{{"go", "mod", "tidy"}, {"go", "list", "-deps", "."}}
	if r.build {
		commands = append(commands, []string{"go", "build", "-o", os.DevNull, "."})
	}
	for _, command := range commands {
		if _, err := r.outputWith(env, dir, command...); err != nil {
			return err
		}
	}
	return nil
}

// tag creates the commit and the tags if really is true, and otherwise prints them. If it fails, it
// restores the checkout.
func (r *release) tag(really bool) (err error) {
	tags := r.tags()
	push := "git push --atomic origin HEAD " + strings.Join(tags, " ")
	if !really {
		fmt.Fprintf(r.out, "\n-tag would commit requirements at %s, and create these tags:\n  %s\n",
			r.version, strings.Join(tags, "\n  "))
		fmt.Fprintf(r.out, "Then run: %s\n", push)
		return nil
	}
	before, err := r.output(r.dir, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	var made []string
	defer func() {
		if err == nil {
			return
		}
		undo := &release{ctx: context.WithoutCancel(r.ctx)}
		for _, t := range made {
			_, failed := undo.output(r.dir, "git", "tag", "-d", t)
			err = errors.Join(err, failed)
		}
		_, failed := undo.output(r.dir, "git", "reset", "-q", "--hard", before)
		err = errors.Join(err, failed)
	}()
	all, err := r.output(r.dir, "scripts/modules")
	if err != nil {
		return err
	}
	for m := range strings.FieldsSeq(all) {
		file := filepath.Join(r.dir, m, "go.mod")
		mod, err := r.require(file)
		if err != nil {
			return err
		}
		text, err := mod.Format()
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // a go.mod is no secret
			return err
		}
	}
	message := "Release " + r.version
	_, err = r.output(r.dir, "git", "commit", "-q", "--allow-empty", "-am", message)
	if err != nil {
		return err
	}
	for _, t := range tags {
		if _, err := r.output(r.dir, "git", "tag", "-a", "-m", "scskit "+r.version, t); err != nil {
			return err
		}
		made = append(made, t)
	}
	fmt.Fprintf(r.out, "\nThe tags exist. Now run: %s\n", push)
	return nil
}

func (r *release) output(dir string, command ...string) (string, error) {
	return r.outputWith(os.Environ(), dir, command...)
}

func (r *release) outputWith(env []string, dir string, command ...string) (string, error) {
	cmd := exec.CommandContext(r.ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s",
			strings.Join(command, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
