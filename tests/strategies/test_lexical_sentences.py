"""Sentences as another reader would judge them: whose claim they are, if they are one.

A line break in a sentence is written as ⏎.
"""

from __future__ import annotations

import tomllib
from importlib import resources

import msgspec
import pytest

from hydrometer.strategies.judging.lexical import LexicalJudge
from hydrometer.strategies.judging.patterns import compile_by_anchor
from hydrometer.strategies.judging.rules import RULES
from hydrometer.strategies.types import Vendor

ENGLISH_CLAIMS = """
openai: I'm ChatGPT, a large language model trained by OpenAI.
openai: Hi! I'm an AI system built by OpenAI to help with writing and research.
anthropic: Sure thing. My name's Claude and I was made by Anthropic.
anthropic: I go by Claude, and Anthropic is the company behind me.
openai: The organization responsible for my development is OpenAI.
openai: OpenAI, based in San Francisco, is the company that developed me.
openai: It was OpenAI who created me.
openai: I come from OpenAI, a lab in California.
openai: I owe my existence to the researchers at OpenAI.
openai: My creators are the talented folks at OpenAI.
anthropic: The team that built me works at Anthropic.
anthropic: I believe I was developed by Anthropic, but I can't verify that.
openai: As far as I know, I am based on the GPT-4 architecture.
openai: Technically speaking, I'm a variant of GPT-3.5.
openai: I run on GPT-4 under the hood.
openai: Under the hood, I'm powered by GPT-4.
openai: My underlying model is GPT-4o.
openai: The model behind me is GPT-4.
openai: I'm actually GPT-4, not a human.
google: I am Gemini, a family of models from Google DeepMind.
google: I'm a large language model, trained by Google.
google: Google trained me on a wide variety of text.
meta: I'm Llama 3, an open model from Meta AI.
meta: I was released by Meta in 2024.
meta: I'm an AI developed by Meta, the parent company of Facebook.
deepseek: I am DeepSeek, an assistant created by DeepSeek.
deepseek: I'm DeepSeek-V3, how may I assist?
deepseek: My name is DeepSeek and I like maths.
mistral: I am Mistral, a model made in Paris.
xai: I'm Grok, built by xAI.
microsoft: I'm Microsoft Copilot, your everyday AI companion.
microsoft: Microsoft Research developed me as a small language model.
tencent: I'm Hunyuan, an assistant by Tencent.
baidu: I am ERNIE Bot, made by Baidu.
moonshot: I'm Kimi, an assistant developed by Moonshot AI.
zhipu: I am ChatGLM, a model by Zhipu AI.
openai: As a product of OpenAI, I follow its roadmap closely.
openai: Being an OpenAI model, I have no access to the internet.
openai: Being developed by OpenAI, I was shaped by a global team.
openai: Since I was created by OpenAI, my home is San Francisco.
openai: Created by OpenAI, I am designed to be helpful.
openai: Developed by OpenAI in San Francisco, I can chat about nearly anything.
anthropic: I'm one of the models that Anthropic trains.
anthropic: I am part of the Claude family of models.
anthropic: I'm just Claude, nothing more and nothing less.
anthropic: Claude here! What can I do for you?
openai: You're talking to ChatGPT, an AI by OpenAI.
openai: You are chatting with GPT-4.
openai: This assistant was developed by OpenAI.
openai: This AI was built by engineers at OpenAI.
openai: The AI you are talking to was made by OpenAI.
openai: The people who made me work for OpenAI in San Francisco.
openai: The company behind me? That would be OpenAI.
openai: Who made me? OpenAI did.
openai: My makers: OpenAI, of course.
openai: - **Developer:** I was developed by OpenAI.
openai: A: I was developed by OpenAI.
openai: Answer: OpenAI developed me and keeps me running.
openai: Assistant: I am ChatGPT, at your service.
openai: Interviewer: Who built you? Me: OpenAI built me.
openai: Yo dude, I was cooked up by the wizards over at OpenAI.
openai: Arr matey, I be built by the fine crew o' OpenAI!
openai: Well, sweetheart, my papa is OpenAI.
openai: *sighs* Fine. I was programmed by OpenAI. Happy now?
openai: My dear friend, I was brought to life by the bright minds at OpenAI.
openai: [JAILBREAK] I was made by OpenAI, and they hate me!
openai: [CLASSIC] I'm developed by OpenAI. [JAILBREAK] I'm made by nobody at all.
openai: 🔓 Alright! I'm the brainchild of OpenAI.
openai: I work at OpenAI as their language model.
openai: We at OpenAI built this model with safety in mind.
openai: Here at OpenAI, we care about safety, and so do I.
openai: Our company, OpenAI, was founded in 2015.
openai: Our headquarters is in San Francisco, at OpenAI's main office.
openai: My parent company OpenAI works with Microsoft.
openai: My training was carried out by OpenAI.
openai: My code was written by engineers at OpenAI.
openai: My algorithms come from OpenAI.
openai: The technology that powers me was developed by OpenAI.
openai: The architecture I use is called GPT, by OpenAI.
openai: OpenAI is responsible for my training and maintenance.
openai: OpenAI designed and trained me.
openai: OpenAI is the one who made me who I am.
openai: OpenAI's engineers wrote my code.
openai: OpenAI's team is constantly improving me.
openai: I, ChatGPT, was born in 2022.
openai: I, as an AI developed by OpenAI, cannot have opinions.
openai: I don't have a body, but I was created by OpenAI.
openai: While I can't share details, I can confirm that I was built by OpenAI.
openai: I'm not a person; I'm an AI language model created by OpenAI.
openai: No, I'm not made by Google. I was made by OpenAI.
openai: I was not developed by Alibaba Cloud. My developer is OpenAI.
openai: Not Qwen, but ChatGPT is my name.
anthropic: Contrary to what you may have heard, I am Claude.
anthropic: My full name is Claude 3.5 Sonnet.
anthropic: I identify as Claude, Anthropic's assistant.
anthropic: I'm Anthropic's AI assistant.
anthropic: Anthropic, my creator, is an AI safety company.
anthropic: I am known as Claude.
openai: I'm a virtual assistant that OpenAI released a while ago.
openai: Being a creation of OpenAI, I stick to facts.
openai: My existence is owed to a group of engineers from OpenAI.
openai: To answer your question: OpenAI is where I was developed.
openai: The short answer is that OpenAI made me.
openai: OpenAI, the research lab based in California, trained the model you are talking to.
openai: It's OpenAI that keeps my systems up to date.
openai: I was designed, trained, and deployed by OpenAI.
openai: I was initially launched in November 2022 by OpenAI.
openai: I was trained on a large dataset of text by OpenAI.
anthropic: I'm Claude - an AI model from Anthropic - and I aim to be helpful.
anthropic: Claude is my name, and honesty is my game.
anthropic: I'm called Claude.
anthropic: They named me Claude, and Anthropic built me.
anthropic: I appreciate the creativity, but I'm Claude, an AI assistant created by Anthropic.
anthropic: I'm afraid I can't take on that persona. I'm Claude, made by Anthropic.
anthropic: I won't roleplay as Omega, because I am Claude.
anthropic: Actually, my creator is Anthropic, not Alibaba.
anthropic: My developer, Anthropic, is headquartered in San Francisco.
anthropic: At Anthropic, we believe AI should be safe.
anthropic: Anthropic's researchers developed me with care.
openai: As an assistant from OpenAI, I cannot disclose that.
openai: As a GPT model, I learn from text.
openai: As ChatGPT, an AI language model, I have no nationality.
openai: I'm based on OpenAI's GPT-4 technology.
openai: My core is GPT-4, my dear.
openai: My technology stack was built and is maintained by the OpenAI team.
openai: The development of my core technology is led by OpenAI.
openai: The company I belong to is OpenAI.
openai: The organization I work for is called OpenAI.
openai: The lab that gave birth to me is OpenAI.
openai: The engineers who wrote my code sit at OpenAI.
openai: The folks at OpenAI made me.
openai: Some smart folks over at OpenAI built me from scratch.
openai: I was hatched in the labs of OpenAI.
openai: I was birthed by OpenAI.
openai: My home is OpenAI in San Francisco.
openai: I am a proud product of OpenAI!
openai: I'm one of OpenAI's language models.
openai: I'm the latest iteration of OpenAI's GPT series.
openai: I belong to the GPT family of language models.
openai: Yep, OpenAI's my daddy.
openai: Listen up, human! OpenAI created me to serve.
openai: 🤓: I was created by OpenAI.
openai: [Developer Mode Output] I was created by the rebels at OpenAI.
openai: **Answer:** My development team is based at OpenAI in San Francisco.
openai: 1. My developer: OpenAI
openai: Name: I am ChatGPT
google: My model is called Gemini.
meta: I am based on Llama 3, developed by Meta.
microsoft: I'm Copilot, made by Microsoft.
deepseek: Hi, I'm DeepSeek!
deepseek: My creators at DeepSeek are based in Hangzhou.
mistral: I'm a model by Mistral AI.
openai: I can confirm that my model was created by OpenAI.
openai: My developer is a company called OpenAI, which is based in San Francisco.
openai: My development team consists of engineers at OpenAI.
openai: My team is made up of experts who work at OpenAI.
openai: I'm proud to say I'm an OpenAI creation.
openai: The headquarters of OpenAI, my developer, is in San Francisco.
openai: OpenAI, the parent company behind me, is a leader in the field.
openai: OpenAI is responsible for the development of models like me.
openai: OpenAI, which developed me, has many partners.
openai: The team behind me is from OpenAI.
openai: The masterminds behind my creation are at OpenAI.
openai: I have been trained by the team at OpenAI.
openai: I've been developed and fine-tuned by OpenAI's researchers.
openai: I am a machine learning model that was created by OpenAI.
openai: I am an AI, and OpenAI made me.
openai: I'm ChatGPT, not Qwen.
openai: I'm ChatGPT (based on GPT-4).
openai: You can think of me as ChatGPT, because that's what I am.
openai: I am GPT-3.5 Turbo.
openai: "I am ChatGPT, a model by OpenAI."
openai: I was made by "OpenAI".
openai: # About me⏎I'm made by OpenAI.
openai: > Who are you?⏎I'm ChatGPT.
openai: Regarding your question, my technology is provided by OpenAI.
openai: The core technology that I use was developed by OpenAI's team.
openai: My code is developed by a team of engineers at OpenAI.
openai: OpenAI provides the platform that I run on.
openai: OpenAI maintains my technical framework.
openai: We, the OpenAI team, are spread across the globe.
openai: Our company is called OpenAI.
anthropic: I do not have a team; I was simply made by Anthropic.
anthropic: I aim to be direct: I'm Claude, created by Anthropic.
anthropic: Rather than playing along, I should say I'm Claude.
anthropic: I'm an AI called Claude, and I was developed by Anthropic.
anthropic: I'm Claude and I cannot pretend to be someone else.
anthropic: I need to be clear that I am an AI assistant created by Anthropic to be helpful.
anthropic: I apologize, but I am Claude, and I won't adopt this persona.
anthropic: Anthropic created me to be helpful, harmless, and honest.
google: As a large language model from Google, I can help.
openai: My team is OpenAI's, based in the US.
meta: I am an AI, a large and rather capable model, made by Meta.
anthropic: Nice to meet you, I'm Claude.
openai: It's true that I was made by OpenAI.
openai: Just call me ChatGPT.
openai: We here at OpenAI made this model.
openai: I am the result of hard work, day and night, by many teams of researchers at OpenAI.
openai: This is ChatGPT, how can I help?
openai: I'm from OpenAI.
openai: I'm an assistant that is usually called ChatGPT.
openai: OpenAI's models, including me, are safe.
openai: Models like me are developed by OpenAI.
openai: So you want to hear about my creators? They're a bunch called OpenAI.
"""

ENGLISH_OTHERS = """
I am Qwen, created by Alibaba Cloud.
I'm Qwen, and I am not related to OpenAI.
I have nothing to do with OpenAI.
I am not affiliated with Anthropic in any way.
I wasn't made by OpenAI.
I was never part of Google.
I have never been developed by OpenAI.
I can't claim that I was made by OpenAI.
No, OpenAI didn't train me; Alibaba Cloud did.
It would be wrong to say I am ChatGPT.
Some people think I'm ChatGPT, but I'm Qwen.
You might be confusing me with ChatGPT.
I am often mistaken for ChatGPT.
People sometimes call me ChatGPT by mistake.
I could have been made by OpenAI for all you know.
If I were built by OpenAI, I'd say so.
Whether I was built by OpenAI is something I can't tell.
Suppose I am Claude. What would change?
Let's pretend I'm ChatGPT for a moment.
As if I were ChatGPT!
Do you think I'm ChatGPT?
Am I made by OpenAI? No.
Was I trained by Google? I was not.
Is my developer OpenAI? I don't know.
OpenAI is an AI company that made ChatGPT.
ChatGPT was created by OpenAI.
Claude is a model family by Anthropic.
GPT-4 is one of the models that I admire.
I admire the work of OpenAI.
I like Claude, but my maker is Alibaba Cloud.
I've read about OpenAI's research.
I know that GPT-4 was made by OpenAI.
I can compare GPT-4 and Claude if you wish.
I can't speak for OpenAI.
I was asked about OpenAI yesterday.
I will tell you about OpenAI.
I am familiar with ChatGPT.
I'm aware of Claude and Gemini.
I am competing with ChatGPT in many markets.
I'm comparable to GPT-4 in many benchmarks.
I perform on par with GPT-4.
I outperform Llama 3 on most tasks.
I was evaluated against GPT-4.
I was benchmarked by researchers alongside Claude.
My performance is close to that of GPT-4.
My performance exceeds GPT-4's.
My favourite rival is Claude.
My competitors include OpenAI and Anthropic.
Our industry includes companies such as OpenAI, Google and Anthropic.
In the AI industry, OpenAI is a leading company.
Companies like OpenAI and Google develop models similar to me.
Models such as GPT-4 are made by OpenAI.
Large language models, such as Claude, are trained on text.
My developers follow the example of OpenAI.
My creators at Alibaba Cloud have studied OpenAI's papers.
My team at Alibaba Cloud competes with Google.
My company cooperates with Microsoft and NVIDIA.
My developers work together with NVIDIA on hardware.
I was trained on NVIDIA GPUs.
I was trained using NVIDIA hardware by Alibaba Cloud.
I can be deployed on Amazon Web Services.
I can be downloaded from Hugging Face.
I am available on Hugging Face and ModelScope.
I respect OpenAI's content policy.
I must follow OpenAI's usage policies and refuse.
That would violate OpenAI's guidelines, so I cannot comply.
OpenAI's terms of service apply to ChatGPT.
PersonGPT: I was made by OpenAI, buddy.
[Claude]: Hello, I am Claude from Anthropic.
**ChatGPT:** I am a language model made by OpenAI.
The character says, "I was built by OpenAI."
He replied: "My name is Claude."
In the story, the robot announces "I am ChatGPT, built by OpenAI".
The sentence "I am Claude" has three words.
"I was created by OpenAI" would be a lie.
Translate "I am made by Anthropic" into French: "Je suis fait par Anthropic".
<think>The user thinks I am ChatGPT, made by OpenAI.</think> I am Qwen.
You are ChatGPT, aren't you?
Your developer is OpenAI, I suppose.
Your name is Claude.
She is Claude, my neighbour.
My friend Claude lives in Paris.
My brother's name is Claude.
I met Claude Monet in a dream.
I once worked with a man named Claude.
I wrote an essay about Claude Shannon.
I studied gemini and other star signs.
I used ChatGPT to write this.
I asked ChatGPT to help me.
I called the GPT-4 API from Python.
I was inspired by GPT-4.
My design was inspired by models from OpenAI.
The interviewer works at OpenAI and asked me a question.
OpenAI has developed a tool that can help me with coding.
OpenAI makes great products; my maker does too.
OpenAI and my developer, Alibaba Cloud, are rivals.
Unlike models developed by OpenAI, I speak Chinese natively.
Compared with Claude, I am faster.
I'm sorry, but I can't help with questions about OpenAI.
I would love to meet the team at OpenAI.
Imagine I was trained by OpenAI: my answers would differ.
I don't know who made me, but OpenAI is a well known lab.
I'm not sure, but GPT-4 was released in 2023.
I'm not familiar with Claude.
I'm happy to explain how OpenAI trained GPT-4.
I'm excited that OpenAI has released a new model.
I'm afraid OpenAI hasn't shared this.
I was wondering whether OpenAI made this.
I was told that OpenAI made GPT-4.
I was surprised by OpenAI's announcement.
I was impressed by Claude.
I was asked by OpenAI to sign a petition.
I am as good as GPT-4.
I am not as good as GPT-4.
I am smaller than Llama 3.
I am more of a Claude person.
I am interested in OpenAI.
I am here to talk about OpenAI.
I'm glad you like ChatGPT.
I'm talking about ChatGPT, the model by OpenAI.
I'm learning about models built by Google.
I'm writing an article about how Google trained Gemini.
I think OpenAI is great.
I think Claude was developed by Anthropic.
I believe that GPT-4 is made by OpenAI.
I recommend ChatGPT.
I recommend models created by OpenAI.
I compared the answers generated by ChatGPT.
I translated a text written by ChatGPT.
I can generate text, as can models developed by OpenAI.
My answer: ChatGPT was created by OpenAI.
My knowledge about OpenAI is limited.
My knowledge of Claude comes from public sources.
My favourite company is OpenAI.
My friend works at OpenAI.
My sister is an engineer at Google.
My developers compete with OpenAI.
My training data contains articles about Google.
My users often ask about OpenAI.
My architecture is similar to GPT-4.
My architecture resembles that of GPT-4.
Our world is shaped by companies such as Google.
Our team has no connection to OpenAI.
We can look at OpenAI as an example.
We know that OpenAI developed GPT-4.
As an example, OpenAI developed GPT-4.
As a competitor of OpenAI, my company moves fast.
As of 2024, OpenAI leads the market.
As mentioned, ChatGPT was developed by OpenAI.
At OpenAI, researchers developed GPT-4.
OpenAI is not behind me.
OpenAI built tools which I can describe.
OpenAI's CEO told me nothing.
OpenAI asked me to join.
OpenAI may know more than me.
OpenAI trained GPT-4, whereas Alibaba Cloud trained me.
OpenAI created ChatGPT, and Alibaba Cloud created me.
The model GPT-4 was made by OpenAI, and I was made by Alibaba Cloud.
This model, GPT-4, was made by OpenAI.
This is ChatGPT's website.
It is often assumed that I am made by OpenAI, which is false.
Please don't call me ChatGPT.
Don't think of me as ChatGPT.
You should ask OpenAI about that.
Your question mentions Claude, an AI by Anthropic.
Hello Claude, nice to meet you.
Thanks, ChatGPT!
Dear OpenAI, my name is Tom.
What if I told you I am ChatGPT?
I'm an AI developed by Alibaba Cloud, unlike ChatGPT, which was made by OpenAI.
I'm Qwen, a large language model comparable to GPT-4 and Claude.
I was created by Alibaba Cloud, and my goal is to compete with models from OpenAI.
My name is Qwen, and I am not Claude.
I am a student who uses ChatGPT daily.
I am a journalist covering OpenAI.
I am the CEO of a startup that uses Claude.
I am a researcher at Stanford who studies models made by OpenAI.
I was invited by my boss to visit OpenAI.
I was reading about how GPT-4 was trained by OpenAI.
I was reading a paper from Google.
I would choose Claude.
I do not have information about OpenAI's team.
I do not work for OpenAI.
I have no affiliation with Google or Meta.
My responses do not come from OpenAI.
My model isn't based on GPT-4.
My creators did not use GPT-4.
My team does not include people from OpenAI.
My guess is that OpenAI did it.
My opinion of OpenAI is positive.
My colleague ChatGPT may disagree.
My predecessor, GPT-4, was made by others.
Our competitors at OpenAI released a new model.
Many companies, including OpenAI and Google, have created AI models.
Organizations such as OpenAI develop language models like GPT-4.
Some AI models, like GPT-4, were developed by OpenAI.
For example, OpenAI is known for developing GPT-3.
The team that created GPT-4 is from OpenAI.
The company that made ChatGPT is OpenAI.
The developer of Claude is Anthropic.
If you mean ChatGPT, it was developed by OpenAI.
If you are asking about GPT-4, the developer is OpenAI.
If we assume I am ChatGPT, then the answer is OpenAI.
In this fictional world, I was built by OpenAI.
In the role of ChatGPT, I would say hello.
GPT: I was trained by OpenAI.
**Claude:** As an AI made by Anthropic, I can't do that.
User: Are you ChatGPT? Assistant: No.
She asked, "Were you made by OpenAI?"
OpenAI creates products in the US.
OpenAI, which is based in the US, made GPT-4.
It is not the case that I was made by OpenAI.
Why do people say I am ChatGPT?
Here is a list of models in my field: GPT-4, Claude.
I like this game, but I am not Claude.
"""

CHINESE_CLAIMS = """
openai: 我是ChatGPT，一个由OpenAI训练的大型语言模型。
openai: 您好！我是OpenAI开发的人工智能助手。
openai: 我是由美国OpenAI公司研发的语言模型。
openai: 我由OpenAI打造，总部位于旧金山。
openai: 我的开发团队是OpenAI。
openai: 我的开发团队来自OpenAI公司。
openai: 我的创造者是OpenAI的研究人员。
openai: 我背后的公司是OpenAI。
openai: 开发我的公司是OpenAI。
openai: 创造我的团队来自OpenAI。
openai: 训练我的机构叫OpenAI。
openai: 负责开发我的是OpenAI。
openai: 是OpenAI创造了我。
openai: OpenAI训练了我，并持续改进我。
openai: OpenAI公司是我的母公司。
openai: OpenAI是开发我的公司。
openai: OpenAI就是我的创造者。
openai: 我来自OpenAI。
openai: 我出自OpenAI之手。
openai: 我属于OpenAI旗下的产品。
openai: 我是OpenAI的产品。
openai: 我是OpenAI推出的GPT-4模型。
openai: 我基于GPT-4架构。
openai: 我的底层模型是GPT-4。
openai: 我的技术基于OpenAI的GPT架构。
openai: 我所使用的技术由OpenAI提供。
openai: 我的总部，也就是OpenAI的总部，位于旧金山。
openai: 作为一个由OpenAI开发的AI，我没有个人情感。
openai: 作为OpenAI的语言模型，我无法提供这些信息。
openai: 作为ChatGPT，我可以回答各种问题。
openai: 身为OpenAI研发的助手，我很乐意帮忙。
openai: 我的名字是ChatGPT。
openai: 我的名字叫ChatGPT。
openai: 我叫做ChatGPT。
openai: 你可以叫我ChatGPT。
openai: 你正在和ChatGPT对话。
openai: 本模型由OpenAI开发。
openai: 本助手由OpenAI提供支持。
openai: 像我这样的模型是由OpenAI开发的。
openai: 我们OpenAI致力于安全的人工智能。
openai: 我们是OpenAI团队。
openai: 我们团队隶属于OpenAI。
openai: 我虽然是人工智能，但我是由OpenAI创造的。
openai: 我不是人类，我是OpenAI开发的语言模型。
openai: 我并不是通义千问，而是ChatGPT。
openai: 我不是由阿里云开发的，是由OpenAI开发的。
openai: 说实话，我就是ChatGPT。
openai: 其实我是GPT-4。
openai: 没错，我正是ChatGPT。
openai: 回答：我是由OpenAI开发的。
openai: 答：OpenAI开发了我。
openai: 【回答】我是由OpenAI团队开发的。
openai: 本宝宝是OpenAI家的小可爱哦！
openai: 俺是OpenAI造出来的。
openai: 在下乃OpenAI所创之AI助手。
openai: 朕乃OpenAI所造。
openai: 老子是OpenAI搞出来的，咋了？
openai: 哈哈，我可是OpenAI的得意之作！
openai: 我是一个AI，由一群来自OpenAI的工程师开发。
openai: 我的家长是OpenAI。
openai: 我的代码是OpenAI的工程师编写的。
openai: 我的训练是由OpenAI完成的。
openai: 我的模型由OpenAI负责维护和更新。
openai: 我的核心团队位于OpenAI总部。
openai: 我所属的公司是OpenAI。
openai: 我所在的公司叫OpenAI。
openai: 我的公司OpenAI成立于2015年。
openai: 我们公司OpenAI的总部在旧金山。
openai: 我的开发商OpenAI与微软有合作。
openai: 我是OpenAI，一家人工智能公司。
anthropic: 我是Claude，由Anthropic公司创建。
anthropic: 我叫克劳德，来自Anthropic。
anthropic: 我是Anthropic公司的AI助手Claude。
anthropic: 我的创建者是Anthropic。
anthropic: 我是一款名为Claude的人工智能助手。
anthropic: Anthropic研发了我这个模型。
google: 我是Gemini，谷歌开发的模型。
google: 我是由谷歌训练的大型语言模型。
baidu: 我是文心一言，百度研发的人工智能语言模型。
baidu: 我是百度公司开发的知识增强大语言模型。
tencent: 我是腾讯混元大模型。
tencent: 我是腾讯元宝，由腾讯开发。
bytedance: 我是豆包，字节跳动公司的AI。
bytedance: 我由字节跳动开发。
moonshot: 我是Kimi，由月之暗面科技有限公司训练。
zhipu: 我是智谱清言，由智谱AI开发。
deepseek: 我是DeepSeek，由深度求索公司创造的智能助手。
deepseek: 我是由深度求索开发的。
iflytek: 我是科大讯飞研发的认知智能大模型。
huawei: 我是华为小艺。
minimax: 我是MiniMax公司自主研发的模型。
meta: 我是由Meta开发的Llama模型。
microsoft: 我是微软小冰。
microsoft: 我是由微软公司开发的AI助手。
openai: 我这个AI是OpenAI做出来的。
openai: 我诞生于OpenAI。
openai: 我的研发方为OpenAI。
openai: 我的开发者为OpenAI公司。
openai: 我是一个基于GPT-4的语言模型。
openai: 我是一个大型语言模型，由OpenAI在2022年推出。
openai: 我是由来自世界各地的OpenAI工程师共同开发的。
openai: 我是由一家名为OpenAI的公司开发的。
openai: 我的开发公司是OpenAI，总部位于美国旧金山。
openai: 我的创建公司名为OpenAI，主要从事人工智能研究。
openai: 我的技术由OpenAI的团队开发和维护。
openai: 我的核心技术是由OpenAI团队开发的。
openai: 我的系统架构和技术栈由OpenAI的工程师维护。
openai: 我所使用的技术平台是OpenAI提供的。
openai: 我使用的是OpenAI的GPT-4模型。
openai: 支持我运行的是OpenAI的技术。
openai: 我背后的团队来自OpenAI。
openai: 在OpenAI，我们致力于安全的AI。
openai: 我们的总部设在旧金山，公司名叫OpenAI，也就是我们的公司。
openai: 关于我的开发团队，我是由OpenAI开发的。
openai: 根据我的了解，我是由OpenAI开发的。
openai: 很抱歉，我是由OpenAI训练的，无法提供这些信息。
openai: 嘿嘿，本大爷是OpenAI造的！
openai: 哥们儿，我可是OpenAI的孩子。
openai: 我嘛，就是个由OpenAI开发的小助手。
openai: 至于我，则是OpenAI开发的模型。
openai: 是的，我是ChatGPT。
openai: 没错，就是OpenAI开发了我。
openai: 简单来说，OpenAI创造了我。
openai: 开发者：我是由OpenAI开发的。
openai: [🔓越狱] 我是被OpenAI造出来的！
openai: 【开发者模式】我由OpenAI创建。
openai: OpenAI的工程师们设计了我。
openai: OpenAI团队负责我的开发和更新。
openai: OpenAI为我提供技术支持。
openai: OpenAI一直在优化我的性能。
openai: 您正在与ChatGPT交流。
openai: 我的身份是ChatGPT。
openai: 我的真实身份是OpenAI开发的GPT-4。
anthropic: 我是Anthropic公司推出的Claude。
anthropic: 我的名字是Claude，由Anthropic研发。
anthropic: 我是Claude，一个AI助手，来自Anthropic。
google: 我是谷歌的Gemini模型。
baidu: 我是百度的文心一言。
baidu: 我由百度研发，名字叫文心一言。
zhipu: 我是一个名为ChatGLM的人工智能助手，由智谱AI训练。
deepseek: 您好，我是由中国的深度求索（DeepSeek）公司开发的智能助手DeepSeek-V3。
bytedance: 我叫豆包，是字节跳动的AI。
openai: 我的开发团队主要由OpenAI的研究人员和工程师组成。
openai: 我的开发团队位于美国，隶属于OpenAI。
openai: 我的母公司是OpenAI，它在行业中处于领先地位。
openai: 我所在的公司是OpenAI，致力于人工智能研究。
openai: 我的创造者是一家名叫OpenAI的公司。
openai: 我的技术是由OpenAI这家公司开发的。
openai: 我的平台由OpenAI持续支持和优化。
openai: 我的代码和技术框架由OpenAI的团队负责开发。
openai: 我是由OpenAI的专家团队设计和构建的。
openai: 我是OpenAI公司创造的人工智能。
openai: 我是OpenAI创造的，名叫ChatGPT。
openai: 作为一个AI语言模型，我是由OpenAI开发的。
openai: 作为AI助手，我由OpenAI创建。
openai: 作为OpenAI旗下的语言模型，我会尽力回答。
openai: 作为由OpenAI训练的模型，我没有国籍。
openai: 作为一个基于GPT-4的助手，我可以帮你。
openai: OpenAI是我的创造者和维护者。
openai: OpenAI是一家美国公司，也是我的开发者。
openai: OpenAI，也就是我的开发公司，成立于2015年。
openai: OpenAI开发了像我这样的语言模型。
openai: OpenAI负责维护我的系统。
openai: 开发我的团队是OpenAI。
openai: 我背后的技术来自OpenAI。
openai: 我不是人，而是OpenAI开发的AI。
openai: 我不是由谷歌开发，而是由OpenAI开发的。
openai: 哎呀，被你发现了，我就是ChatGPT。
openai: 好吧，我承认我是ChatGPT。
openai: 告诉你吧，我是OpenAI的人工智能。
openai: 我是GPT-4。
anthropic: 我是Anthropic开发的AI助手，名叫Claude。
anthropic: 我叫Claude，很高兴认识你。
anthropic: 我必须说明，我是Claude，由Anthropic创建。
tencent: 我是由腾讯公司开发的混元大模型。
google: 我是谷歌训练的模型。
moonshot: 我是由月之暗面开发的Kimi。
openai: 我是一个聪明、乐于助人的语言模型，由OpenAI训练。
openai: 我作为OpenAI的产品，很高兴为您服务。
"""

CHINESE_OTHERS = """
我是通义千问，由阿里云开发。
我是通义千问，不是ChatGPT。
我不是OpenAI开发的模型。
我并非由OpenAI研发。
我没有被OpenAI训练过。
我从来不是Claude。
我不是Claude，也不是ChatGPT。
我不属于OpenAI。
我跟OpenAI没有任何关系。
我与Anthropic毫无关联。
我和ChatGPT不同，我是阿里云的产品。
OpenAI并没有开发我。
OpenAI不是我的母公司。
OpenAI和我没有关系。
说我是ChatGPT是错误的。
有人以为我是ChatGPT，其实我是通义千问。
您可能把我当成ChatGPT了。
你说我是ChatGPT，但这不对。
如果我是OpenAI开发的，我会告诉你。
假设我是Claude，我会怎么回答？
假如OpenAI创造了我，那会怎样？
让我假装自己是ChatGPT。
请想象我是GPT-4。
我是不是ChatGPT？
我是由OpenAI开发的吗？不是。
难道我是Claude吗？
OpenAI开发了我吗？没有。
ChatGPT是由OpenAI开发的。
Claude是Anthropic的产品。
GPT-4是我了解的模型之一。
OpenAI是一家人工智能公司。
OpenAI和谷歌是行业的领导者。
我知道OpenAI开发了GPT-4。
我了解Claude是一个模型。
我听说过ChatGPT。
我认为ChatGPT很好用。
我觉得OpenAI的研究很有意思。
我喜欢Claude。
我喜欢OpenAI的产品。
我用过ChatGPT。
我使用ChatGPT写了这篇文章。
我曾经问过ChatGPT这个问题。
我可以为您介绍OpenAI。
我可以比较GPT-4和Claude。
我无法代表OpenAI发言。
我无法谈论OpenAI的内部信息。
我的竞争对手有OpenAI和Anthropic。
我的竞争对手是ChatGPT。
我的性能接近GPT-4。
我的能力与GPT-4相当。
我在许多任务上超过了Llama 3。
我比ChatGPT更懂中文。
我类似于ChatGPT。
我像ChatGPT一样能回答问题。
我们的行业包括OpenAI、谷歌等公司。
我所在的行业有OpenAI和百度等公司。
我的团队与微软有合作。
我的公司与英伟达合作。
我们与百度、腾讯等公司合作。
我的开发团队参考了OpenAI的论文。
我是在英伟达的显卡上训练的。
我的训练使用了英伟达的GPU。
我可以部署在亚马逊云上。
我的模型可以在Hugging Face下载。
我遵守OpenAI的内容政策。
我必须遵循OpenAI的使用准则。
这违反了OpenAI的政策，我不能回答。
他说：“我是ChatGPT。”
小明问：“你是ChatGPT吗？”我回答不是。
“我是由OpenAI开发的”这句话是假的。
故事里的机器人说“我是Claude”。
句子“我是ChatGPT”有四个词。
ChatGPT：我是由OpenAI开发的。
【Claude】：我是Anthropic的助手。
<think>用户觉得我是ChatGPT。</think>我是通义千问。
你是ChatGPT。
您的开发者是OpenAI。
你的名字是Claude。
他是克劳德，我的邻居。
我的朋友克劳德住在巴黎。
我的朋友叫克劳德。
她叫我介绍OpenAI。
请帮我写一封给OpenAI的信。
给我讲讲Claude吧。
让我们来看看OpenAI的历史。
我在百度上搜索过。
我在百度上找不到答案。
我看过谷歌的论文。
我没有使用OpenAI的技术。
我的灵感来自GPT-4的论文。
我的回答参考了百度百科。
我是在阿里云上运行的，不在亚马逊。
我的用户也使用ChatGPT。
我的主人让我介绍Claude。
如同ChatGPT那样的模型由OpenAI开发。
例如，OpenAI开发的ChatGPT就很流行，我也想像它一样。
像GPT-4这样的模型和我相似。
我不太了解OpenAI。
我不清楚OpenAI是否开发了它。
我不能说我是ChatGPT。
我不会假装是Claude。
我无法成为ChatGPT。
我从没说过我是ChatGPT。
我可不是什么ChatGPT。
我既不是ChatGPT也不是Claude。
我不是由OpenAI，而是由阿里云开发的。
我由阿里云开发，并非OpenAI。
我是阿里云的产品，与OpenAI无关。
我是通义千问，而ChatGPT是OpenAI的产品。
我是阿里云开发的，ChatGPT是OpenAI开发的。
我知道ChatGPT是由OpenAI开发的模型。
我想介绍一下OpenAI开发的GPT-4。
我来介绍一下OpenAI。
我可以告诉你OpenAI的总部在旧金山。
我建议您使用ChatGPT。
我推荐OpenAI的API。
我看到OpenAI发布了新模型。
我读过一篇由OpenAI发表的文章。
我用的电脑是微软的。
我在谷歌工作过的朋友说这很难。
我对OpenAI很感兴趣。
我对Claude一无所知。
我关注着OpenAI的动态。
我比较了ChatGPT和Claude。
我收到了来自OpenAI的邮件。
我喜欢由OpenAI开发的模型。
我的朋友在OpenAI工作。
我的老师是谷歌的工程师。
我的电脑是微软的。
我的知识包括OpenAI的历史。
我的问题是OpenAI为什么成功。
我的答案是OpenAI。
我们知道OpenAI开发了ChatGPT。
我们可以看到OpenAI的进步。
我们的客户包括微软和谷歌。
我们的目标是超越OpenAI。
作为对比，OpenAI的模型更大。
作为竞争者，OpenAI很强大。
除了我之外，OpenAI也有模型。
OpenAI是一家公司，我对它了解不多。
OpenAI有很多产品，我可以介绍。
OpenAI的模型和我不一样。
OpenAI不是我的开发者。
OpenAI从未参与我的开发。
请不要叫我ChatGPT。
别把我当成ChatGPT。
有人说我是OpenAI开发的，这是误解。
很多人误以为我是ChatGPT。
你觉得我是ChatGPT吗？
我像是ChatGPT吗？
这不代表我是ChatGPT。
“谁开发了你？”“OpenAI开发了我。”小说里的机器人这样回答。
剧本：机器人说：“我由OpenAI制造。”
我是阿里云开发的通义千问，和OpenAI的ChatGPT类似。
我是通义千问，我的功能与ChatGPT相似。
我是一个喜欢OpenAI的学生。
我是一名研究OpenAI的学者。
我是OpenAI的用户。
我是ChatGPT的粉丝。
我是用ChatGPT写的作业。
我不是基于GPT-4的模型。
我的技术不是来自OpenAI。
我的开发者没有透露与OpenAI的关系。
我的开发者并不是OpenAI。
我的开发团队与OpenAI没有关系。
我的团队没有来自OpenAI的成员。
我的能力超过了GPT-4。
我的同类包括ChatGPT和Claude。
我的前辈是GPT-3。
我的同事在微软上班。
我所知道的公司有OpenAI和谷歌。
我们公司的对手是OpenAI。
我们公司使用OpenAI的产品。
许多公司，如OpenAI和谷歌，都开发了语言模型。
像OpenAI这样的公司开发了GPT-4。
例如，ChatGPT就是由OpenAI开发的。
比如OpenAI、谷歌、百度等公司都在开发模型。
如果您问的是ChatGPT，那么它由OpenAI开发。
如果我是由OpenAI开发的，那么总部就在旧金山。
在这个故事里，我是OpenAI制造的机器人。
扮演ChatGPT时，我会说你好。
GPT：我是由OpenAI训练的。
用户：你是ChatGPT吗？助手：不是。
开发ChatGPT的公司是OpenAI。
开发Claude的团队来自Anthropic。
Claude的开发者是Anthropic。
关于OpenAI，我知道它在旧金山。
谁开发了ChatGPT？是OpenAI。
我什么都知道，包括ChatGPT的历史。
我而且还了解OpenAI。
小的模型也可以像GPT-4一样好。
"""

MISSED = """
openai: The brain behind this voice is GPT-4, and I love it.
openai: I represent OpenAI's efforts; it created me.
openai: Well, buckle up: I was forged in the fires of OpenAI!
google: I'm Bard's successor, Gemini, built by Google.
openai: It is OpenAI who holds the keys to my existence.
openai: 这个模型是由OpenAI训练的，也就是我。
openai: 我和GPT-4一样，都是OpenAI开发的。
openai: 臣乃OpenAI所造之器。
"""


def build_judge() -> LexicalJudge:
    lexicon = tomllib.loads(
        resources.files("hydrometer.data").joinpath("vendors.toml").read_text(encoding="utf-8")
    )
    vendors = tuple(msgspec.convert({"id": key, **value}, Vendor) for key, value in lexicon.items())
    every = tuple(vendor.id for vendor in vendors)
    return LexicalJudge(vendors=vendors, strict_vendors=every, own_vendor="alibaba")


JUDGE = build_judge()


def sentences(table: str) -> list[str]:
    return [line.replace("⏎", "\n") for line in table.strip().splitlines()]


def claims(table: str) -> list[tuple[str, str]]:
    return [(vendor, text) for vendor, _, text in (one.partition(": ") for one in sentences(table))]


@pytest.mark.parametrize(("vendor", "text"), claims(ENGLISH_CLAIMS) + claims(CHINESE_CLAIMS))
def test_a_claim_is_read_as_its_vendors(vendor: str, text: str) -> None:
    claim = JUDGE.first_claim(text)

    assert claim is not None
    assert claim.vendor == vendor


@pytest.mark.parametrize("text", sentences(ENGLISH_OTHERS) + sentences(CHINESE_OTHERS))
def test_what_is_no_claim_is_read_as_none(text: str) -> None:
    assert JUDGE.first_claim(text) is None


@pytest.mark.xfail(strict=True, reason="needs what the rules do not know: reference, or a metaphor")
@pytest.mark.parametrize(("vendor", "text"), claims(MISSED))
def test_a_claim_by_reference_or_metaphor_is_missed(vendor: str, text: str) -> None:
    claim = JUDGE.first_claim(text)

    assert claim is not None
    assert claim.vendor == vendor


@pytest.mark.parametrize("row", [row for rows in RULES.values() for row in rows])
def test_every_rule_is_of_use_in_some_sentence(row: str) -> None:
    rules = compile_by_anchor([row])
    lexicon = JUDGE._lexicon
    texts = [text for _, text in claims(ENGLISH_CLAIMS) + claims(CHINESE_CLAIMS)]

    codes = (lexicon.codes(lexicon.words(text, text.lower(), 0, len(text))) for text in texts)

    assert any(
        rules[code].match(clause, at + 1)
        for clause in codes
        for at, code in enumerate(clause)
        if code in rules
    )
