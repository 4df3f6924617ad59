"""What people say when they ask for nothing new: approvals, choices, thanks and farewells.

A text is read into roles where these phrases cover every word of it, the longest one first; one
word that is in none of them makes it a text of its own. Phrases are compared without case, accents
of Latin letters, punctuation and apostrophes.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Role = Literal["go", "yes", "ok", "pick", "hello", "thanks", "done", "praise", "glue"]

MAX_CHARS = 160

# `go` sets going, `yes` assents, `ok` may merely have heard, `pick` chooses among what was offered,
# `hello` greets, `thanks` and `done` end, `praise` likes, `glue` means nothing by itself
PHRASES: dict[Role, str] = {
    "go": """
    go|go ahead|go for it|go on|go with it|go with that|keep going|keep at it|continue|carry on
    proceed|resume|do it|do that|do this|do so|do both|do all|do them|make it so|make it happen
    start|begin|next|next step|execute|run it|run that|try it|try that|try again|retry|try|commit
    push|merge|deploy|ship it|ship|apply|implement|fix it|fix that|fix this|fix them|build it
    write it|create it|send it|publish it|save it|delete it|remove it|use it|use that|get started
    get going|get to work|get it done|finish it|finish|complete it|lets go|lets do it|approve
    approved|confirm|confirmed|accept|accepted|accepting|lgtm|looks good|looks good to me
    looks great|looks fine|looks right|sounds good|sounds great|sounds right|sounds fine
    sounds perfect|sounds like a plan|works for me|fine with me|fine by me|good to go|im ready
    ready|you can|you may|you decide|up to you|your call|as you wish|as you suggest
    as you suggested|as suggested|as proposed|as described|as planned|whatever you think
    whatever you think is best|be my guest|by all means|engage|yolo|mach das|mach es|machs
    mach weiter|mach|weiter|weitermachen|weiter gehts|fortfahren|fahre fort|fahr fort
    fahren sie fort|leg los|los|los gehts|loslegen|tu es|tu das|machen sie das|machen sie weiter
    machen sie es|setz es um|setze es um|setz das um|setze das um|umsetzen|ausführen|führ es aus
    führe es aus|starten|starte|anfangen|fang an|beginne|passt|passt so|passt für mich|klingt gut
    sieht gut aus|hört sich gut an|einverstanden|genehmigt|bestätigt|freigegeben|probier es
    versuch es|nochmal|nächster schritt|so machen wir es|machen wir so|machen wir das|mach so
    mach das so|committe|commite|vas y|vasy|allez y|allons y|continuez|poursuis|poursuivez
    fais le|faites le|fais ça|fais ca|faites ça|fais comme ça|procède|procédez|commence|commencez
    lance|lance toi|exécute|ça marche|ca marche|ça me va|ca me va|ça me convient|daccord pour moi
    on y va|suivant|réessaie|parfait vas y|applique|je valide|validé|je confirme|je suis daccord
    cest parti|adelante|continúa|continua|continuar|continúe|sigue|siga|sigue adelante|hazlo
    hágalo|procede|proceda|empieza|comienza|ejecútalo|aplícalo|suena bien|me parece bien
    me parece perfecto|estoy de acuerdo|vamos|siguiente|inténtalo de nuevo|otra vez|dale|confirmo
    confirmado|aprobado|pode continuar|pode ir|pode fazer|pode seguir|pode prosseguir|prossiga
    prosseguir|faz isso|faça isso|faça|manda ver|segue|siga em frente|vai em frente|bora|vamos lá
    começa|comece|aplique|parece bom|tá bom assim|concordo|aprovado|próximo|tenta de novo
    vai avanti|vai pure|procedi|prosegui|continua pure|vai|fallo|fai|fai pure|fai così|inizia
    esegui|applica|mi va bene|sembra buono|confermo|approvato|prossimo|riprova|avanti|继续|繼續
    继续吧|開始|开始|开始吧|做吧|去做|去做吧|执行|執行|提交|合并|就这样|就這樣|就这么办|就这么做
    就这样做|按这个做|按你说的做|按计划|按计划进行|没问题|沒問題|下一步|进行|进行吧|来吧|同意
    确认|確認|批准|再试一次|重试|接着|接着做|往下|往下做|続けて|続けてください|続けて下さい|続行
    続行して|続行してください|進めて|進めてください|進めて下さい|やって|やってください|やってみて
    始めて|始めてください|開始してください|実行|実行して|実行してください|コミットして
    コミットしてください|それでお願いします|お願いします|お願い|それでいい|それでいいです
    それで大丈夫|問題ありません|問題ないです|いいと思います|よろしくお願いします|次|次へ|もう一度
    承認|承認します|了承|계속|계속해|계속해줘|계속해주세요|계속하세요|계속 진행|진행|진행해
    진행해줘|진행해주세요|진행하세요|진행하자|해줘|해주세요|그렇게 해|그렇게 해줘|그렇게 해주세요
    그렇게 하자|시작|시작해|시작해줘|시작해주세요|실행해|실행해줘|실행해주세요|커밋해|커밋해줘
    커밋해주세요|좋아 진행해|부탁해|부탁해요|부탁드립니다|다음|다시 시도|승인|동의|동의합니다
    продолжай|продолжайте|продолжи|продолжить|дальше|далее|давай|давайте|поехали|вперёд|вперед
    делай|делайте|сделай|сделай это|сделай так|сделайте|приступай|приступайте|начинай|начинайте
    запускай|выполняй|выполни|коммить|закоммить|подтверждаю|согласен|согласна|одобряю|утверждаю
    звучит хорошо|выглядит хорошо|пойдёт|пойдет|следующий шаг|ещё раз|попробуй ещё раз
    так и сделай|जारी रखें|जारी रखो|आगे बढ़ें|आगे बढ़ो|आगे बढ़िए|शुरू करें|शुरू करो|करो|करें
    कर दो|कर दीजिए|कीजिए|ठीक लगता है|चलो|सहमत|मंज़ूर|मंजूर|aage badho|kar do|karo|shuru karo
    jaari rakho|تابع|استمر|أكمل|اكمل|واصل|ابدأ|نفذ|نفذه|افعل|افعلها|افعل ذلك|تفضل|امض|امض قدما
    امض قدماً|موافق|موافقة|أوافق|اوافق|يبدو جيدا|يبدو جيداً|التالي|هيا|هيا بنا
    """,
    "yes": """
    yes|yep|yeah|yup|yea|ya|ye|y|aye|sure|sure thing|of course|absolutely|definitely|certainly
    indeed|agreed|i agree|correct|thats correct|right|thats right|exactly|affirmative|why not
    roger|👍|✅|✔|ja|jo|jawohl|jep|genau|richtig|stimmt|natürlich|klar|na klar|selbstverständlich
    auf jeden fall|sicher|unbedingt|ja gerne|gerne|oui|ouais|bien sûr|bien sur|exactement
    absolument|tout à fait|daccord|volontiers|certainement|sí|si|claro|claro que sí|por supuesto
    exacto|exactamente|correcto|de acuerdo|cierto|desde luego|sim|com certeza|isso|isso mesmo
    exatamente|certo|correto|de acordo|claro que sim|pode ser|sì|certamente|esatto|esattamente
    daccordo|corretto|ovviamente|come no|giusto|是|是的|对|對|对的|對的|嗯|好|好的|好吧|好啊|行
    行吧|可以|可以的|当然|當然|没错|沒錯|要|好滴|中|はい|ええ|うん|そうです|そう|その通り
    その通りです|もちろん|もちろんです|いいよ|いいですよ|了解|了解です|了解しました|承知しました
    わかりました|分かりました|네|예|응|어|그래|그래요|네네|맞아|맞아요|맞습니다|물론|물론이죠
    물론입니다|당연하지|당연하죠|да|ага|угу|конечно|верно|точно|именно|разумеется|безусловно
    правильно|так точно|हाँ|हां|जी|जी हाँ|जी हां|हाँ जी|बिल्कुल|बिलकुल|सही|सही है|ज़रूर|जरूर|haan
    han|haan ji|bilkul|نعم|أجل|اجل|بلى|بالتأكيد|بالتاكيد|طبعا|طبعاً|أكيد|اكيد|صحيح|بالطبع|ايوه
    أيوه
    """,
    "ok": """
    ok|okay|okey|okej|oki|k|kk|alright|all right|fine|thats fine|good|very well|👌|in ordnung
    alles klar|gut|na gut|geht klar|schön|okidoki|bien|très bien|tres bien|entendu|bon
    ok ça marche|vale|está bien|esta bien|muy bien|bueno|listo|perfecto vale|tá|tá bom|ta bom
    tudo bem|está bem|beleza|blz|bom|ótimo então|va bene|bene|ok va bene|dai|okk|嗯嗯|哦|噢
    オーケー|オッケー|おけ|よし|いいね|いいです|좋아|좋아요|좋습니다|알겠어|알겠습니다|알았어
    오케이|ㅇㅋ|хорошо|ладно|ок|окей|ठीक|ठीक है|अच्छा|theek hai|thik hai|accha|حسنا|حسناً|تمام
    ماشي|طيب|جيد|أوكي|اوكي
    """,
    "pick": """
    first|second|third|fourth|fifth|last|former|latter|option|one|two|three|four|five|b|c|d|e
    number|both|all|all of them|all of the above|either|choice|erste|ersten|zweite|zweiten|dritte
    dritten|vierte|letzte|letzten|beide|beides|alle|eins|zwei|drei|variante|nummer|möglichkeit
    premier|première|deuxième|seconde|troisième|dernier|dernière|numéro|les deux|tous|toutes
    primero|primera|primer|segundo|segunda|tercero|tercera|último|última|opción|número|ambos
    ambas|todos|todas|uno|dos|tres|primeiro|primeira|terceiro|terceira|opção|um|dois|três|primo
    prima|secondo|seconda|terzo|terza|ultimo|opzione|numero|entrambi|tutti|tutte|第一个|第一個
    第二个|第二個|第三个|第三個|第一|第二|第三|最后一个|都要|两个都要|全部|选项|方案|选|選|一|二
    三|四|个|個|一つ目|二つ目|三つ目|最初|最後|両方|番|番目|案|選択肢|첫 번째|첫번째|두 번째
    두번째|세 번째|세번째|마지막|둘 다|둘다|모두|전부|번|옵션|первый|первая|первое|первую|второй
    вторая|второе|вторую|третий|третья|третье|третью|последний|последнюю|вариант|номер|оба|все
    पहला|पहली|पहले|दूसरा|दूसरी|दूसरे|तीसरा|तीसरी|दोनों|सब|विकल्प|نمبر|الأول|الاول|الأولى|الاولى
    الثاني|الثانية|الثالث|الثالثة|الأخير|كلاهما|الكل|الخيار|رقم
    """,
    "hello": """
    hi|hello|hey|hey there|hi there|hello there|hiya|howdy|yo|good morning|good afternoon|good day
    how are you|how are you?|how are you doing|how are you doing?|how are you today
    how are you today?|how are things|how are things?|how is it going|how is it going?
    hows it going|hows it going?|hows your day|hows your day?|whats up|whats up?
    nice to meet you|pleased to meet you|good to see you|welcome back|are you there
    are you there?|anyone there|anyone there?|is anybody there|is anybody there?|happy new year
    merry christmas|wie geht es dir|wie geht es dir?|wie gehts|wie gehts?|wie geht es ihnen
    wie geht es ihnen?|wie gehts dir|wie gehts dir?|frohe weihnachten|comment ça va
    comment ça va?|ça va|ça va?|comment vas tu|comment vas tu?|comment allez vous
    comment allez vous?|enchanté|cómo estás|cómo estás?|cómo está|cómo está?|qué tal
    qué tal?|¿cómo estás?|¿qué tal?
    mucho gusto|como vai|como vai?|tudo bom|tudo bom?|come stai|come stai?|come va|come va?
    piacere|你好吗|你好吗?|您好吗|您好吗?|最近怎么样|最近怎么样?|元気ですか|元気ですか?|お元気ですか|お元気ですか?
    はじめまして|잘 지내요|잘 지내요?|잘 지내
    잘 지내?|반가워요|반갑습니다|как дела|как дела?|как ты|как ты?|рад знакомству|आप कैसे हैं|आप कैसे हैं?
    कैसे हो|कैसे हो?|كيف حالك|كيف حالك?
    good evening|morning|greetings|sup|hallo|servus|moin|guten morgen|guten tag|guten abend
    grüezi|grüss gott|bonjour|bonsoir|salut|coucou|hola|buenos días|buenas tardes|buenas noches
    buenas|buen día|olá|oi|bom dia|boa tarde|boa noite|ciao|salve|buongiorno|buonasera|你好|您好
    嗨|哈喽|早上好|晚上好|下午好|大家好|早|こんにちは|こんばんは|おはよう|おはようございます
    どうも|やあ|안녕|안녕하세요|안녕하십니까|여보세요|привет|здравствуйте|здравствуй|доброе утро
    добрый день|добрый вечер|नमस्ते|नमस्कार|हैलो|हेलो|namaste|مرحبا|مرحباً|السلام عليكم|أهلا|اهلا
    أهلاً|صباح الخير|مساء الخير
    """,
    "thanks": """
    thank you so much|thanks so much|thanks a lot|thank you very much|youve been a great help
    you have been a great help|youve been a big help|that was all i needed|thats all i needed
    thanks|thank you|thankyou|thx|thnx|thanx|ty|tysm|tyvm|thank u|many thanks|much appreciated
    appreciate it|i appreciate it|i appreciate your help|i appreciate that|appreciated|cheers
    much obliged|🙏|danke|danke dir|dankeschön|danke schön|vielen dank|vielen lieben dank
    herzlichen dank|besten dank|tausend dank|ich danke dir|ich danke ihnen|dank|merci
    merci beaucoup|merci bien|mille mercis|je te remercie|je vous remercie|remerciements|gracias
    muchas gracias|mil gracias|muchísimas gracias|te lo agradezco|se lo agradezco|obrigado
    obrigada|muito obrigado|muito obrigada|valeu|agradeço|brigado|grazie|grazie mille
    grazie tante|molte grazie|ti ringrazio|谢谢|謝謝|谢谢你|謝謝你|谢谢您|多谢|多謝|非常感谢|感谢
    感謝|感恩|谢了|谢啦|太感谢了|辛苦了|ありがとう|ありがとうございます|ありがとうございました
    有難うございます|どうもありがとう|どうもありがとうございます|本当にありがとう|サンキュー
    感謝します|助かりました|助かります|고마워|고마워요|고맙습니다|감사|감사해요|감사합니다
    정말 감사합니다|대단히 감사합니다|땡큐|спасибо|спасибо большое|большое спасибо|благодарю|спс
    огромное спасибо|спасибочки|धन्यवाद|शुक्रिया|बहुत धन्यवाद|बहुत बहुत धन्यवाद|आपका धन्यवाद
    dhanyavad|shukriya|شكرا|شكراً|شكرا لك|شكراً لك|شكرا جزيلا|شكراً جزيلاً|ألف شكر|مشكور|أشكرك
    اشكرك|ممنون|متشكر
    """,
    "done": """
    bye|goodbye|good bye|bye bye|see you|see ya|cya|farewell|talk later|talk to you later
    see you later|see you soon|see you tomorrow|talk to you tomorrow|talk to you soon|talk tomorrow
    take care|good night|goodnight|have a nice day
    have a great day|have a good day|have a good one|have a nice evening|have a good evening
    have a good night|have a great weekend|have a nice weekend|have a good weekend|👋|thats all
    that is all|thats it|that is it|that will be all|thatll be all|thats everything|nothing else
    nothing more|no more questions|no further questions|i have no more questions
    i have no further questions|im done|i am done|were done|we are done|all done|done
    done for today|all good|all set|im all set|were good|we are good|it works|it works now
    that works|that worked|it worked|works|works now|works perfectly|works great
    it works perfectly|working now|problem solved|solved|fixed|resolved|that solved it
    that fixed it|that helped|that helps|this helps|this helped|very helpful|super helpful
    so helpful|youve been very helpful|you have been very helpful|thats what i needed
    thats exactly what i needed|exactly what i needed|just what i needed|thats perfect|never mind
    nevermind|nvm|no need|no thanks|no thank you|thats enough|enough|stop here|for now|for today
    tschüss|tschau|ciao ciao|auf wiedersehen|bis bald|bis später|bis dann|bis morgen|schönen tag
    schönen tag noch|schönen abend|schönen abend noch|gute nacht|das wars|das war es
    das war alles|das ist alles|mehr nicht|das reicht|fertig|ich bin fertig|keine weiteren fragen
    keine fragen mehr|nichts weiter|hat geklappt|es funktioniert|funktioniert|funktioniert jetzt
    es läuft|läuft|nein danke|hat geholfen|das hat geholfen|mach s gut|machs gut|für heute
    au revoir|à bientôt|à plus|à demain|salut à plus|bonne journée|bonne soirée|bonne nuit
    cest tout|ce sera tout|rien dautre|ça fonctionne|ça suffit|non merci|jai fini|cest bon|adiós
    hasta luego|hasta pronto|hasta mañana|nos vemos|buen fin de semana|que tengas buen día
    eso es todo|es todo|nada más|ya está|funciona|ya funciona|no gracias|terminado|he terminado
    tchau|até logo|até mais|até amanhã|até breve|é só isso|é isso|isso é tudo|era isso|só isso
    mais nada|funcionou|não obrigado|não obrigada|por hoje|arrivederci|a presto|a dopo|a domani
    buona giornata|buona serata|buonanotte|è tutto|questo è tutto|nientaltro|funziona|no grazie
    ho finito|per oggi|再见|再見|拜拜|晚安|回头见|下次见|就这些|就這些|没有了|沒有了|没别的了
    没事了|不用了|不用谢了|完成了|搞定了|解决了|可以了|够了|好用了|さようなら|さよなら|じゃあね
    またね|また明日|バイバイ|おやすみ|おやすみなさい|以上です|以上|これで終わりです|終わりです
    もう大丈夫です|結構です|大丈夫です|解決しました|できました|お疲れ様|お疲れ様でした|失礼します
    안녕히 계세요|안녕히 가세요|잘 가|잘 있어|잘 자|다음에 봐|그게 다야|그게 다예요|이게 전부예요
    됐어|됐어요|됐습니다|괜찮아요|괜찮습니다|해결됐어요|해결됐습니다|수고하세요|수고하셨습니다|끝
    пока|до свидания|до встречи|до завтра|спокойной ночи|хорошего дня|удачи|это всё|это все|всё
    больше ничего|на сегодня всё|на этом всё|всё работает|работает|заработало|получилось|решено
    нет спасибо|не надо|готово|अलविदा|फिर मिलेंगे|शुभ रात्रि|बस|बस इतना ही|बस यही|और कुछ नहीं
    काम हो गया|हो गया|नहीं धन्यवाद|وداعا|وداعاً|مع السلامة|إلى اللقاء|الى اللقاء|تصبح على خير
    هذا كل شيء|هذا كل ما أحتاجه|لا شيء آخر|لا شكرا|لا شكراً|انتهيت|تم|يعمل الآن|يكفي
    """,
    "praise": """
    perfect|great|awesome|excellent|amazing|wonderful|fantastic|brilliant|nice|nice one|nice work
    cool|super|lovely|good job|great job|well done|good work|great work|beautiful|superb|neat
    sweet|love it|i love it|impressive|wow|nailed it|youre the best|you are the best|you rock
    youre awesome|you are awesome|youre great|haha|lol|no problem|got it|i see|understood
    makes sense|noted|very good|👏|🎉|❤|😊|🙂|😀|😃|😄|🔥|🥰|😍|💯|🙌|perfekt|toll|prima|klasse
    wunderbar|ausgezeichnet|sehr gut|grossartig|spitze|hervorragend|genial|gut gemacht|verstanden
    verstehe|hammer|parfait|génial|impeccable|nickel|formidable|bravo|compris|je vois|magnifique
    top|perfecto|excelente|estupendo|fantástico|maravilloso|buen trabajo|entendido|qué bien
    bien hecho|increíble|perfeito|ótimo|maravilha|legal|show|incrível|entendi|bom trabalho|massa
    perfetto|ottimo|eccellente|fantastico|grande|bravissimo|capito|bellissimo|ottimo lavoro
    太好了|太棒了|完美|很好|非常好|不错|不錯|真棒|棒|厉害|赞|明白|明白了|知道了|了解|懂了|完璧
    完璧です|素晴らしい|素晴らしいです|すごい|最高|最高です|なるほど|よくできました|いい感じ
    완벽해|완벽해요|완벽합니다|훌륭해|훌륭합니다|대단해|최고|최고예요|멋져|멋지다|잘했어|이해했어
    отлично|супер|прекрасно|замечательно|класс|круто|идеально|здорово|молодец|понятно|понял
    поняла|बढ़िया|बहुत अच्छा|बहुत बढ़िया|शानदार|वाह|उत्तम|समझ गया|समझ गई|badhiya|ممتاز|رائع|عظيم
    جميل|مذهل|أحسنت|احسنت|فهمت|جيد جدا|جيد جداً
    """,
    "glue": """
    please|pls|plz|kindly|now|then|and|also|with|that|this|it|these|those|them|the|plan|change
    changes|option|options|approach|way|suggestion|suggestions|proposal|fix|fixes|patch|edit
    edits|step|steps|to|for|me|i|id|im|we|us|lets|let|as|so|just|well|oh|ah|hmm|a|an|of|on|in|all
    want|like|prefer|choose|pick|take|go|immediately|right away|pr|branch|version|idea|rest
    everything|mate|man|bro|dude|buddy|claude|chatgpt|gpt|much|very|really|too|again|there|here
    your|you|my|our|is|are|was|help|helping|time|answer|explanation|information|info
    clarification|effort|patience|support|assistance|quick|response|today|a lot|a million|a bunch
    a ton|lot|lots|anyway|actually|folks|everyone|team|sir|guys|use|what|do|do it now|more|bitte
    jetzt|dann|und|es|das|die|der|den|nun|mal|mit|doch|einfach|ich|wir|dir|mir|ihnen|für
    vorschlag|änderungen|gleich|sofort|nehme|nimm|nehmen|möchte|auch|noch|wie|vorgeschlagen
    beschrieben|lösung|schritt|schritte|hilfe|deine|ihre|sehr|schon|zu|aus|um|erklärung|antwort
    schnelle|dafür|sil te plaît|sil vous plaît|stp|svp|alors|le|la|les|un|une|et|maintenant|je|tu
    vous|ça|avec|pour|ton|votre|aide|beaucoup|comme|proposé|modifications|solution|prends|choisis
    cest|ce|moi|por favor|el|lo|los|las|una|y|con|ahora|entonces|eso|esto|así|cambios|su|ayuda
    por|para|todo|te|prefiero|elijo|mucho|muy|ya|pues|de|que|o|os|e|com|agora|então|isso aí
    mudanças|plano|sua|ajuda|pela|pelo|tudo|eu|prefiro|escolho|muito|assim|aí|da|per favore
    per piacere|il|gli|ora|adesso|allora|questo|quello|piano|modifiche|così|aiuto|per|tuo|laiuto
    io|scelgo|preferisco|molto|di|del|tutto|pure|请|請|吧|了|啊|呀|哦|的|就|那|那就|这|这个|那个
    我|你|您|计划|修改|用|现在|現在|这样|很|先|では|じゃ|じゃあ|それ|それで|これ|この|その|で|を
    に|が|は|の|も|ね|よ|です|ます|して|計画|変更|今|まず|とても|本当に|もう|ください|下さい|그럼
    그|이|저|것|걸로|으로|로|을|를|은|는|도|요|지금|계획대로|변경|대로|정말|그걸|이걸|해
    пожалуйста|тогда|и|с|это|этот|эту|так|ну|теперь|сейчас|план|плану|по|изменения|за|помощь|вам
    тебе|вас|я|мне|очень|большое|беру|выбираю|же|уже|ты|его|её|कृपया|अब|तो|और|यह|वह|इसे|उसे|वाला
    वाली|के|लिए|मदद|आपकी|आपका|बहुत|योजना|है|को|से|मैं|मुझे|ji|من فضلك|رجاء|رجاءً|لو سمحت|الآن
    الان|و|هذا|ذلك|الخطة|إذن|اذن|على|مساعدتك|لك|كل|يا|جدا|جداً|بها|به
    """,
}
_LATIN_ENDS = "\u0250"  # letters below it are compared without their accents
_IGNORED = frozenset(
    "_#&*`~\"'’‘”“„«»()[]{}-–—‑.,!;:…。，！、；：・（）「」『』·¡،؛।\ufe0f\u200d\u200b"
)

# words, and what is no letter, no blank and not ignored: `tokens_of` where all is ASCII
_ASCII = re.compile(rf"[a-z0-9]+|[^\sa-z0-9{re.escape(''.join(sorted(_IGNORED)))}]")


def _each(text: str) -> list[str]:
    """The phrases of a table's entry."""
    return [part for line in text.splitlines() for part in line.strip().split("|") if part.strip()]


def tokens_of(text: str) -> tuple[str, ...]:
    """The words of a text; a letter alone in scripts without spaces, and a symbol.

    Accents of Latin letters, apostrophes and most punctuation are left out. A question mark stays.
    """
    if text.isascii():  # most are, and need no look at every letter
        return tuple(_ASCII.findall(text.lower().replace("'", "").replace("`", "")))
    found: list[str] = []
    word = ""
    for char in unicodedata.normalize("NFKC", text).casefold():
        if char in "'’‘`":
            continue
        kind = unicodedata.category(char)
        alone = _stands_alone(char)
        if kind[0] in "LNM" and not alone:
            word += unicodedata.normalize("NFKD", char)[0] if char < _LATIN_ENDS else char
            continue
        if word:
            found.append(word)
            word = ""
        skin = "\U0001f3fb" <= char <= "\U0001f3ff"
        if alone or not (char.isspace() or char in _IGNORED or skin):
            found.append(char)
    return (*found, word) if word else tuple(found)


def _stands_alone(char: str) -> bool:
    """Whether a letter is of a script in which words have no sure spaces between them."""
    return (
        "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" or "\u3131" <= char <= "\u318e"
    )


@lru_cache(maxsize=1)
def _table() -> tuple[dict[tuple[str, ...], Role], int]:
    """Phrase, as tokens, -> its role, and the tokens of the longest phrase.

    Where a word has a role in one language and is glue in another, the role counts.
    """
    table: dict[tuple[str, ...], Role] = {}
    for role, text in PHRASES.items():
        for phrase in _each(text):
            table.setdefault(tokens_of(phrase), role)
    return table, max(map(len, table))


def roles_of(text: str) -> frozenset[Role]:
    """The roles that a text's words play; none where some word plays none, or there is no word.

    Linear in the length; a text longer than an approval can be is not read.
    """
    if len(text) > MAX_CHARS:
        return frozenset()
    words = tokens_of(text)
    table, longest = _table()
    roles: set[Role] = set()
    place = 0
    while place < len(words):
        for size in range(min(longest, len(words) - place), 0, -1):
            role = table.get(words[place : place + size])
            if role is not None:
                break
        else:
            size, role = 1, _other(words[place])
            if role is None:
                return frozenset()
        roles.add(role)
        place += size
    return frozenset(roles)


def _other(word: str) -> Role | None:
    """The role of what is in no table: a small number chooses, a pictogram decorates."""
    if word.isdecimal() and len(word) <= 2:
        return "pick"
    return "glue" if unicodedata.category(word[0]) == "So" else None
