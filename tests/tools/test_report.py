#!/usr/bin/python3
"""test_report.py MAKE_REPORT MAE_PRETRAIN MAE_FINETUNE MAE_VISUALIZE: reports in a browser,
without a network. TAP on stdout.

Opens the page that MAKE_REPORT writes, full of hostile names, those of small runs of pretraining
and fine-tuning, and that of the pretrained model beside random weights. With
MAE_REPORT_SHOTS=FOLDER, leaves screenshots there: light, dark and phone. Needs Chromium,
its driver and Selenium (Debian: chromium, chromium-driver, python3-selenium); skipped without.
test_report.py --look FILE... does the same with reports that are there.
"""

import base64
import hashlib
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

count = 0


def check(name, good, got=""):
    global count
    count += 1
    print(f"{'' if good else 'not '}ok {count} - {name}", flush=True)
    if not good:
        print(f"# {got!r}")


def missing():
    if webdriver is None:
        return "python3-selenium"
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return program
    return None


def browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # As root there is no sandbox; /dev/shm may be small; every name lookup fails.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--no-first-run", "--disable-background-networking",
                     "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)


def media(driver, scheme):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})


def size(driver, width, height):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})


def shoot(driver, name):
    folder = os.environ.get("MAE_REPORT_SHOTS")
    if folder is None:
        return
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    pathlib.Path(folder, name + ".png").write_bytes(base64.b64decode(shot["data"]))


def look(driver, path):
    driver.get_log("browser")  # forget what was said before
    driver.get(path.absolute().as_uri())


def shown(slider):
    return [i for i, frame in enumerate(slider.find_elements(By.CLASS_NAME, "frame"))
            if frame.is_displayed()]


def check_quiet(driver, what):
    said = driver.get_log("browser")
    check(f"{what}: no error in the console", said == [], said)
    loaded = driver.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(name => !name.startsWith('data:'))")
    check(f"{what}: nothing is loaded", loaded == [], loaded)


def check_parts(driver, what):
    broken = driver.execute_script(
        "return [...document.images].filter(i => !i.complete || !i.naturalWidth || !i.alt).length")
    check(f"{what}: every picture shows and has a text", broken == 0, broken)
    ids = driver.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    check(f"{what}: ids are unique", len(ids) == len(set(ids)), ids)
    lost = driver.execute_script(
        "return [...document.querySelectorAll('nav a')].filter("
        "a => !document.querySelector(a.getAttribute('href'))).length")
    check(f"{what}: links lead somewhere", lost == 0, lost)
    scripts = driver.execute_script(
        "return [document.scripts.length, [...document.querySelectorAll('*')].filter("
        "e => [...e.attributes].some(a => a.name.startsWith('on'))).length]")
    check(f"{what}: no script but its own", scripts == [1, 0], scripts)


def check_sliders(driver, what):
    for slider in driver.find_elements(By.CSS_SELECTOR, "figure.slider"):
        control = slider.find_element(By.TAG_NAME, "input")
        first, last = int(control.get_attribute("value")), int(control.get_attribute("max"))
        check(f"{what}: a slider shows one picture", shown(slider) == [first], shown(slider))
        control.send_keys(Keys.HOME)
        check(f"{what}: the first by its key", shown(slider) == [0], shown(slider))
        control.send_keys(Keys.ARROW_RIGHT)
        check(f"{what}: the next by its key", shown(slider) == [1], shown(slider))
        driver.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
            control, last)
        check(f"{what}: the last by moving it", shown(slider) == [last], shown(slider))
        text = slider.find_elements(By.CLASS_NAME, "label")[last].text
        said = control.get_attribute("aria-valuetext").strip()
        check(f"{what}: which is said", said.split() == text.split(), (said, text))


def check_links(driver, what):
    size(driver, 1100, 500)
    links = driver.find_elements(By.CSS_SELECTOR, "nav a")
    links[-1].click()
    top = driver.execute_script(
        "return document.querySelector(arguments[0]).getBoundingClientRect().top",
        links[-1].get_attribute("hash"))
    check(f"{what}: a link scrolls to its section", 0 <= top < 500, top)
    check(f"{what}: with the links still in view", links[0].is_displayed() and driver.execute_script(
        "return document.querySelector('nav').getBoundingClientRect().top") == 0)


def check_looks(driver, what):
    colours = {}
    for scheme in ("light", "dark"):
        media(driver, scheme)
        size(driver, 1100, 800)
        colours[scheme] = driver.execute_script(
            "return getComputedStyle(document.body).backgroundColor")
        shoot(driver, f"{what}-{scheme}")
    check(f"{what}: dark where wanted", colours["light"] != colours["dark"], colours)
    media(driver, "light")
    size(driver, 390, 844)
    wide = driver.execute_script("return document.documentElement.scrollWidth")
    check(f"{what}: fits a phone", wide == 390, wide)
    shoot(driver, f"{what}-phone")
    size(driver, 1100, 800)


def check_digest(text):
    script = re.search(r"<script>(.*?)</script>\n</body>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    check("the policy names the script's digest", f"'sha256-{digest}'" in text, digest)


def check_hostile(driver):
    title = driver.find_element(By.TAG_NAME, "h1").text
    check("hostile: names are shown as they are", "<script>alert(1)</script>" in title, title)
    check("hostile: no element of theirs", driver.find_elements(
        By.CSS_SELECTOR, "img[src='x'], [onload]") == [])


def png(height, width, seed):
    """Of RGB noise."""
    rows = b"".join(b"\0" + bytes((seed * y + x * x * (y + 3)) % 256 for x in range(3 * width))
                    for y in range(height))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
              (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks)


def pretrain(tool, work):
    """A run of a few seconds. Returns its report."""
    images = pathlib.Path(work, "images <b>")
    images.mkdir()
    for i in range(12):
        images.joinpath(f"{i}.png").write_bytes(png(16, 24, i))
    run = pathlib.Path(work, "run")
    subprocess.run(
        [tool, "-q", f"data.train={images}", f"data.val={images}", f"train.output_dir={run}",
         "model.preset=vit_micro", "model.img_size=[16,24]", "model.depth=1", "train.epochs=3",
         "train.batch_size=4", "train.log_every=1", "train.preview_every=1"],
        check=True, stdout=subprocess.DEVNULL)
    return run / "report.html"


def quietly(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def finetune(tool, work, pretrained):
    """A run from the checkpoint of another. Returns its report."""
    run = pathlib.Path(work, "finetune")
    for name in ("cat <i>", "dog"):
        folder = pathlib.Path(work, "classes", name)
        folder.mkdir(parents=True)
        for i in range(6):
            folder.joinpath(f"{i}.png").write_bytes(png(16, 24, 3 * i + len(name)))
    quietly(tool, "-q", f"data.train={work}/classes", f"data.val={work}/classes",
            f"train.output_dir={run}", f"finetune.checkpoint={pretrained}", "train.epochs=2",
            "train.batch_size=4")
    return run / "report.html"


def visualize(tool, work, pretrained):
    """Returns the report of a model."""
    out = pathlib.Path(work, "figures")
    quietly(tool, pretrained, "--data", f"{work}/classes", "--count", "3", "--thumbnails",
            "--compare", "random", "--report", "--out", out, "-q")
    return out / "report.html"


def check_model(driver):
    check("figures: the map is drawn", driver.execute_script(
        "const s = document.querySelector('.drawing svg').getBoundingClientRect();"
        "return s.width > 300 && s.height > 300"))
    rows = [row.text for row in driver.find_elements(By.CSS_SELECTOR, "#retrieval tbody tr")]
    check("figures: the model, random weights and chance are scored",
          len(rows) == 3 and "random weights" in rows[1] and "random order" in rows[2], rows)
    check("figures: both models reconstruct", len(driver.find_elements(
        By.CSS_SELECTOR, "#reconstructions figure.slider")) == 2)


def look_at(driver, path):
    what = path.stem if path.stem != "report" else path.parent.name
    look(driver, path)
    check_parts(driver, what)
    if what == "hostile":
        check_hostile(driver)
    if what == "figures":
        check_model(driver)
    check_looks(driver, what)
    check_sliders(driver, what)
    check_links(driver, what)
    check_quiet(driver, what)


def main():
    lacking = missing()
    if lacking is not None:
        print(f"1..0 # SKIP {lacking} is not installed: tools/install_deps.sh --tests")
        return
    with tempfile.TemporaryDirectory() as work:
        if sys.argv[1] == "--look":
            pages = [pathlib.Path(path) for path in sys.argv[2:]]
        else:
            pages = [pathlib.Path(work, "hostile.html"), pretrain(sys.argv[2], work)]
            checkpoint = pages[1].parent / "last.h5"
            pages += [finetune(sys.argv[3], work, checkpoint),
                      visualize(sys.argv[4], work, checkpoint)]
            subprocess.run([sys.argv[1], pages[0]], check=True)
            check_digest(pages[0].read_text(encoding="utf-8"))
        driver = browser(os.path.join(work, "profile"))
        try:
            for page in pages:
                look_at(driver, page)
        finally:
            driver.quit()
    print(f"1..{count}")


main()
